"""What an attacker expects of an input before any answer: a Gaussian for each class, from public data."""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail


class Prior(NamedTuple):
    """A Gaussian over flattened examples.

    Attributes:
      mean: [features].
      covariance: [features, features], positive definite.
    """

    mean: np.ndarray
    covariance: np.ndarray


def priors_of(x: np.ndarray, y: np.ndarray, classes: int, *, shrink: float = 0.1) -> list[Prior]:
    """The Gaussian of each class.

    Args:
      x: public examples [points, ...].
      y: int [points].
      classes: how many there are.
      shrink: share of the covariance of all classes together in that of each, and of a multiple of the identity in
        both: few examples leave directions open in which inputs still differ.

    Raises:
      UsageError: a class of which there is no example.
    """
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    for label in range(classes):
        if not (y == label).any():
            raise fail("auxiliary", label, "is a class of which the attacker has no example")
    means = np.stack([flat[y == label].mean(axis=0) for label in range(classes)])
    shared = np.cov((flat - means[y]).T)
    floor = shrink * np.trace(shared) / len(shared) * np.eye(len(shared))
    out = []
    for label in range(classes):
        own = flat[y == label] - means[label]
        covariance = own.T @ own / max(len(own) - 1, 1)
        out.append(
            Prior(means[label], (1 - shrink) * ((1 - shrink) * covariance + shrink * shared) + shrink * floor)
        )
    return out
