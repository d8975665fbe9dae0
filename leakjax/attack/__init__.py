"""Membership inference on predictions, on explanations, and on both. Higher score = member, always."""

from leakjax import _spec
from leakjax.attack.baselines import BASELINES
from leakjax.attack.stacked import Answers, Discrete, Scores, attack
from leakjax.attack.thresholds import ATTACKS, DEFAULT_ATTACKS, THRESHOLDS

__all__ = ["ATTACKS", "BASELINES", "DEFAULT_ATTACKS", "THRESHOLDS", "Answers", "Discrete", "Scores", "attack"]

_spec.discover(__name__)
