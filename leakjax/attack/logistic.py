"""Ridge logistic regression of membership on features, beside log-odds that are known already."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from leakjax._threads import one_blas_thread

_STEPS = 25
_CLOSE = 1e-3


class Logistic(NamedTuple):
    """Log-odds of membership: features @ weights + bias.

    Attributes:
      weights: float64 [features].
      bias: a number; members are half of all, but not in every sample.
    """

    weights: np.ndarray
    bias: float

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """What features [..., features] say: [...]."""
        return features @ self.weights.astype(features.dtype) + self.bias


def fit(
    features: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    offset: np.ndarray | float = 0.0,
    *,
    ridge: float = 30.0,
    start: "Logistic | None" = None,
) -> Logistic:
    """Fits by Newton's method; features count in units of their root mean square.

    Args:
      features: [samples, features], finite.
      membership: bool [samples].
      valid: bool [samples]; the others weigh nothing.
      offset: [samples], a part of the log-odds that is fixed.
      ridge: how many observations the prior is worth that weights are zero. Of many features that say much the
        same it leaves the common part and takes away the differences, which are mostly noise.
      start: weights to begin with; they change nothing but how long the search takes.

    Returns:
      The weights; all 0 where no sample is valid.
    """
    if not valid.any():
        return Logistic(np.zeros(features.shape[1]), 0.0)
    features, member = features[valid].astype(np.float32), membership[valid].astype(np.float32)
    known = np.broadcast_to(offset, valid.shape)[valid].astype(np.float32)
    scale = np.sqrt(np.mean(features.astype(np.float64) ** 2, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([features / scale.astype(np.float32), np.ones(len(features), np.float32)])
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 1e-3
    weights = np.zeros(design.shape[1]) if start is None else np.append(start.weights * scale, start.bias)

    def loss(weights: np.ndarray) -> float:
        odds = (design @ weights.astype(np.float32) + known).astype(np.float64)
        return float(np.sum(np.logaddexp(0, odds) - member * odds) + penalty @ weights**2 / 2)

    least = loss(weights)
    with one_blas_thread():
        for _ in range(_STEPS):
            chance = expit(design @ weights.astype(np.float32) + known)
            gradient = design.T @ (chance - member) + penalty * weights
            curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
            step = np.linalg.solve(curvature.astype(np.float64), gradient)
            # Newton's step may be too long far from the minimum, where an offset is very sure.
            for _ in range(12):
                reached = loss(weights - step)
                if reached <= least + 1e-6 * abs(least):
                    break
                step = step / 2
            else:
                break
            weights, least = weights - step, reached
            if np.max(np.abs(step)) < _CLOSE * (1 + np.max(np.abs(weights))):
                break
    return Logistic(weights[:-1] / scale, float(weights[-1]))
