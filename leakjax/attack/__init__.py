"""Membership inference on predictions, on explanations, and on both. Higher score = member, always."""

from leakjax.attack.stacked import Answers, Discrete, Scores, attack
from leakjax.attack.thresholds import ATTACKS, THRESHOLDS

__all__ = ["ATTACKS", "THRESHOLDS", "Answers", "Discrete", "Scores", "attack"]
