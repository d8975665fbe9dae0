"""Membership inference on predictions, on explanations, and on both. Higher score = member, always."""

from leakjax.attack.combine import Scores
from leakjax.attack.likelihood import lira
from leakjax.attack.thresholds import ATTACKS, THRESHOLDS

__all__ = ["ATTACKS", "THRESHOLDS", "Scores", "lira"]
