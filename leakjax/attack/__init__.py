"""Membership inference on predictions, on explanations, and on both. Higher score = member, always."""

from leakjax import _spec
from leakjax.attack.registry import (
    ATTACKS,
    DEFAULT_ATTACKS,
    Attack,
    Least,
    Lesson,
    describe,
    learns_nothing,
    parse,
)
from leakjax.attack.replies import Replies
from leakjax.attack.stacked import Answers, Discrete, Scores, attack

__all__ = [
    "ATTACKS",
    "DEFAULT_ATTACKS",
    "Answers",
    "Attack",
    "Discrete",
    "Least",
    "Lesson",
    "Replies",
    "Scores",
    "attack",
    "describe",
    "learns_nothing",
    "parse",
]

_spec.discover(__name__)
