"""Ridge logistic regression of membership on features, beside log-odds that are known already.

How strongly weights are drawn to zero, and how much of what was learned counts, is chosen on samples that were not
learned from: calibrators are left out in turn, and the log-loss on them decides. Near the weights that all samples
give, the log-loss is a quadratic whose gradient and curvature are sums over calibrators, so that leaving one out is
a subtraction and no sample is visited again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

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
# The curvature is taken anew once the weights of the samples in it have changed by so much of their sum.
_BENT = 0.05
# On the bias: members are half of all, but not in every sample.
_FREE = 1e-3


class Logistic(NamedTuple):
    """Log-odds of membership: weights @ features + bias.

    Attributes:
      weights: float64 [features].
      bias: a number.
    """

    weights: np.ndarray
    bias: float

    def log_odds(self, *features: np.ndarray) -> np.ndarray:
        """What features say: [..., samples]. Args: features: each [..., its features, samples], side by side."""
        odds: Any = self.bias
        start = 0
        for part in features:
            stop = start + part.shape[-2]
            odds = odds + self.weights[start:stop].astype(part.dtype) @ part
            start = stop
        return np.asarray(odds)


def fit(
    features: Sequence[np.ndarray],
    membership: np.ndarray,
    valid: np.ndarray,
    offset: np.ndarray | None = None,
    *,
    ridges: Sequence[float] = RIDGES,
) -> Logistic:
    """Fits by Newton's method; features count in units of their root mean square.

    Args:
      features: each [folds, its features, samples], side by side; finite.
      membership: bool [folds, samples]; samples of one fold are left out together.
      valid: bool [folds, samples]; the others weigh nothing.
      offset: [folds, samples], a part of the log-odds that is fixed. What is learned beside it counts for what it is
        worth on the samples that were left out, from nothing to all.
      ridges: from which one is chosen.

    Returns:
      The weights; all 0 where no sample is valid.
    """
    if not valid.any():
        return Logistic(np.zeros(sum(part.shape[1] for part in features)), 0.0)
    member, counts = membership.astype(np.float32), valid.astype(np.float32)
    known = np.zeros(member.shape, np.float32) if offset is None else offset.astype(np.float32)
    with one_blas_thread():
        design, scale = _design(features, counts)
        weights, worth, odds = np.zeros(len(scale)), 1.0, known
        loss = _loss(odds, member, valid)
        bend: np.ndarray | None = None
        for _ in range(_ROUNDS):
            chance = expit(odds)
            gradient, now = _gradient(design, (chance - member) * counts), chance * (1 - chance) * counts
            if bend is None or np.abs(now - bend).sum() > _BENT * bend.sum():
                bend, curvature = now, _curvature(design, now)
                ridge, worth = _chosen(gradient, curvature, weights, ridges, scaled=offset is not None)
                whole = curvature.sum(axis=0)
            step = _solutions(gradient.sum(axis=0), whole, weights, (ridge,))[0] - weights
            before = loss + _pull(weights, ridge)
            while True:
                odds = (weights + step).astype(np.float32) @ design + known
                loss = _loss(odds, member, valid)
                after = loss + _pull(weights + step, ridge)
                if after <= before * (1 + 1e-6):
                    break
                step /= 2  # far from the minimum, where an offset is very sure, Newton's step may be too long
            weights = weights + step
            if before - after < _CLOSE:
                break
    weights = worth * weights / scale
    return Logistic(weights[:-1], float(weights[-1]))


def _design(features: Sequence[np.ndarray], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features [folds, features and a one, samples] in units of their root mean square; and those units."""
    folds, samples = counts.shape
    design = np.empty((folds, sum(part.shape[1] for part in features) + 1, samples), np.float32)
    np.concatenate([*features, np.ones((folds, 1, samples))], axis=1, out=design, casting="same_kind")
    squares = [np.square(own) @ count for own, count in zip(design, counts, strict=True)]
    scale = np.sqrt(np.sum(squares, axis=0, dtype=np.float64) / counts.sum(dtype=np.float64))
    scale = np.where(scale > 0, scale, 1.0)
    design /= scale.astype(np.float32)[:, None]
    return design, scale


def _loss(odds: np.ndarray, member: np.ndarray, valid: np.ndarray) -> float:
    return float(np.sum(np.logaddexp(0, odds) - member * odds, dtype=np.float64, where=valid))


def _pull(weights: np.ndarray, ridge: float) -> float:
    """What the ridge adds to the loss."""
    return ridge * float(weights[:-1] @ weights[:-1]) / 2


def _gradient(design: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The gradient of each fold's log-loss: [folds, weights]. Args: wrong: [folds, samples], chance less membership."""
    return np.stack([own @ error for own, error in zip(design, wrong, strict=True)]).astype(np.float64)


def _curvature(design: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """The curvature of each fold's log-loss: [folds, weights, weights]. Args: bend: [folds, samples], its weights."""
    folds, size, _ = design.shape
    curvature = np.empty((folds, size, size))
    root = np.empty_like(design[0])  # one for all folds: new memory costs more than what is written to it
    for fold, own in enumerate(design):
        np.multiply(own, np.sqrt(bend[fold]), out=root)
        curvature[fold] = root @ root.T
    return curvature


def _solutions(
    gradient: np.ndarray, curvature: np.ndarray, near: np.ndarray, ridges: Sequence[float]
) -> list[np.ndarray]:
    """The weights with the least loss and ridge, of a loss that is quadratic near some weights: under each ridge."""
    wanted, bent, found = curvature @ near - gradient, np.empty_like(curvature), []
    penalty = np.zeros(len(near))
    for ridge in ridges:
        penalty[:-1], penalty[-1] = ridge, _FREE
        np.copyto(bent, curvature)
        bent.flat[:: len(near) + 1] += penalty
        # By LAPACK itself: `scipy.linalg.solve` looks at the condition too, which takes twice the time. It reads
        # columns first, and does not copy what is transposed.
        _, weights, failed = lapack.dposv(bent.T, wanted, lower=1, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError("the curvature of a ridge regression is not positive definite")
        found.append(weights)
    return found


def _chosen(
    gradient: np.ndarray, curvature: np.ndarray, weights: np.ndarray, ridges: Sequence[float], *, scaled: bool
) -> tuple[float, float]:
    """The ridge, and how much of what it leaves counts, with the least loss on folds that were left out.

    Args:
      gradient: [folds, weights], of the log-loss of each fold near `weights`.
      curvature: [folds, weights, weights].
      weights: float64 [weights].
      ridges: from which one is chosen.
      scaled: whether what is learned may count for less.
    """
    slope, bend = gradient.sum(axis=0), curvature.sum(axis=0)
    slopes, bends = np.zeros((2, len(ridges)))
    for of_fold, bent in zip(gradient, curvature, strict=True):
        others = np.stack(_solutions(slope - of_fold, bend - bent, weights, ridges))
        # The fold's loss at `worth * other`, less that of nothing learned.
        slopes += others @ (of_fold - bent @ weights)
        bends += np.sum((others @ bent) * others, axis=1)
    worths = np.clip(-slopes / np.maximum(bends, 1e-30), 0.0, 1.0) if scaled else np.ones(len(ridges))
    losses = worths * slopes + worths**2 * bends / 2
    # Where nothing is worth anything, the strongest ridge: its weights are found at once.
    _, ridge, worth = min(zip(losses, np.negative(ridges), worths, strict=True))
    return -float(ridge), float(worth)
