"""Ridge logistic regression of membership on features, beside log-odds that are known already.

How strongly weights are drawn to zero, and how much of what was learned counts, is chosen on samples that were not
learned from: calibrators are left out in turn, and the log-loss on them decides. Near the weights that all samples
give, the log-loss is a quadratic whose gradient and curvature are sums over calibrators, so that leaving one out is
a subtraction and no sample is visited again.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack
from scipy.special import expit

from leakjax._threads import one_blas_thread

# How many observations the prior may be worth that the weights are zero. Of many features that say much the same a
# strong one leaves the common part and takes away the differences, which are mostly noise.
RIDGES = (0.3, 3.0, 30.0, 300.0, 3000.0)
_ROUNDS = 6
# A step that takes less than this off the log-loss of all samples is the last: chance moves it by more.
_CLOSE = 0.5
# On the bias: members are half of all, but not in every sample.
_FREE = 1e-3


class Logistic(NamedTuple):
    """Log-odds of membership: features @ weights + bias.

    Attributes:
      weights: float64 [features].
      bias: a number.
    """

    weights: np.ndarray
    bias: float

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """What features [..., features] say: [...]."""
        return features @ self.weights.astype(features.dtype) + self.bias


class _Quadratic(NamedTuple):
    """The log-loss of each fold near some weights: gradients [folds, weights], curvatures [folds, weights, weights]."""

    gradient: np.ndarray
    curvature: np.ndarray


def fit(
    features: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    folds: np.ndarray,
    offset: np.ndarray | None = None,
    *,
    ridges: Sequence[float] = RIDGES,
) -> Logistic:
    """Fits by Newton's method; features count in units of their root mean square.

    Args:
      features: [samples, features], finite.
      membership: bool [samples].
      valid: bool [samples]; the others weigh nothing.
      folds: int [samples], 0 and up: samples of one fold are left out together.
      offset: [samples], a part of the log-odds that is fixed. What is learned beside it counts for what it is worth
        on the samples that were left out, from nothing to all.
      ridges: from which one is chosen.

    Returns:
      The weights; all 0 where no sample is valid.
    """
    if not valid.any():
        return Logistic(np.zeros(features.shape[1]), 0.0)
    order = np.argsort(folds[valid], kind="stable")
    features, member = features[valid][order], membership[valid][order].astype(np.float32)
    parts = np.flatnonzero(np.diff(folds[valid][order], prepend=-1, append=-1))
    known = np.zeros(len(member), np.float32) if offset is None else offset[valid][order].astype(np.float32)
    scale = np.sqrt(np.mean(features.astype(np.float64) ** 2, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([features / scale.astype(np.float32), np.ones(len(features), np.float32)])
    weights, worth = np.zeros(design.shape[1]), 1.0
    with one_blas_thread():
        for _ in range(_ROUNDS):
            near = _quadratic(design, member, design @ weights.astype(np.float32) + known, parts)
            ridge, worth = _chosen(near, weights, ridges, scaled=offset is not None)
            step = _solution(near.gradient.sum(axis=0), near.curvature.sum(axis=0), weights, ridge) - weights
            # Far from the minimum, where an offset is very sure, Newton's step may be too long.
            before = _loss(design, member, known, weights, ridge)
            while (after := _loss(design, member, known, weights + step, ridge)) > before * (1 + 1e-6):
                step = step / 2
            weights = weights + step
            if before - after < _CLOSE:
                break
    weights = worth * weights
    return Logistic(weights[:-1] / scale, float(weights[-1]))


def _loss(
    design: np.ndarray, member: np.ndarray, known: np.ndarray, weights: np.ndarray, ridge: float
) -> float:
    odds = design @ weights.astype(np.float32) + known
    fitted = float(np.sum(np.logaddexp(0, odds) - member * odds, dtype=np.float64))
    return fitted + ridge * float(weights[:-1] @ weights[:-1]) / 2


def _quadratic(design: np.ndarray, member: np.ndarray, odds: np.ndarray, parts: np.ndarray) -> _Quadratic:
    chance = expit(odds)
    root = design * np.sqrt(chance * (1 - chance))[:, None]
    gradients, curvatures = [], []
    for start, stop in itertools.pairwise(parts):
        rows = slice(start, stop)
        gradients.append(design[rows].T @ (chance - member)[rows])
        curvatures.append(root[rows].T @ root[rows])
    return _Quadratic(np.asarray(gradients, np.float64), np.asarray(curvatures, np.float64))


def _solution(gradient: np.ndarray, curvature: np.ndarray, near: np.ndarray, ridge: float) -> np.ndarray:
    """The weights with the least loss and ridge, of a loss that is quadratic near some weights."""
    penalty = np.full(len(near), ridge)
    penalty[-1] = _FREE
    # By LAPACK itself: `scipy.linalg.solve` looks at the condition too, which takes twice the time.
    _, found, failed = lapack.dposv(curvature + np.diag(penalty), curvature @ near - gradient, lower=1)
    if failed:
        raise np.linalg.LinAlgError("the curvature of a ridge regression is not positive definite")
    return found


def _chosen(
    near: _Quadratic, weights: np.ndarray, ridges: Sequence[float], *, scaled: bool
) -> tuple[float, float]:
    """The ridge, and how much of what it leaves counts, with the least loss on folds that were left out."""
    gradient, curvature = near.gradient.sum(axis=0), near.curvature.sum(axis=0)
    found = []
    for ridge in ridges:
        slope = bend = 0.0
        for of_fold, bent in zip(*near, strict=True):
            other = _solution(gradient - of_fold, curvature - bent, weights, ridge)
            # The fold's loss at `worth * other`, less that of nothing learned.
            slope += other @ (of_fold - bent @ weights)
            bend += other @ bent @ other
        worth = float(np.clip(-slope / max(bend, 1e-30), 0.0, 1.0)) if scaled else 1.0
        loss = worth * slope + worth**2 * bend / 2
        # Where nothing is worth anything, the strongest ridge: its weights are found at once.
        found.append((loss, -ridge, worth))
    _, ridge, worth = min(found)
    return -ridge, worth
