"""A linear model from n + 1 answers: log-probabilities are linear in the input, up to what all classes share."""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, and that the model is linear"
_STEP = 1.0


class Linear(NamedTuple):
    """Weights that predict as the service does.

    Attributes:
      weights: [features, classes], and
      bias: [classes], both less their mean over classes, which no probability depends on.
      queries: how many were answered.
    """

    weights: np.ndarray
    bias: np.ndarray
    queries: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Logits [queries, classes] of x [queries, ...]."""
        return np.asarray(x, np.float64).reshape(len(x), -1) @ self.weights + self.bias


def extract_linear(oracle: Oracle[Answer], shape: tuple[int, ...]) -> Linear:
    """Asks at 0 and one step along every feature.

    Args:
      oracle: releases vectors of probabilities, or gradients of a logit of the class that is asked for.
      shape: of one example.

    Returns:
      `Linear`.

    Raises:
      UsageError: a query was refused, or the answers hold no vector: then nothing can be solved.
    """
    features = int(np.prod(shape))
    asked = np.concatenate([np.zeros((1, features)), _STEP * np.eye(features)]).reshape(-1, *shape)
    answer = oracle.ask(asked.astype(np.float32), plain=True)
    logs = np.asarray(needed.vectors(answer), np.float64)
    if not answer.answered.all():
        left = int(np.sum(~answer.answered))
        raise fail(
            "answered", features + 1 - left, f"must be all of {features + 1} queries; {left} were refused"
        )
    centred = logs - logs.mean(axis=1, keepdims=True)
    return Linear((centred[1:] - centred[0]) / _STEP, centred[0], features + 1)
