"""True-positive rates at low false-positive rates, exact with ties, for many resamples at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from leakjax.evaluate.bootstrap import Resamples


class Rates(NamedTuple):
    """Figures of each target under each resample.

    Attributes:
      auc: [targets, 1 + resamples].
      tpr: [rates, targets, 1 + resamples], at the largest attainable false-positive rate not above each rate.
    """

    auc: np.ndarray
    tpr: np.ndarray


def allowed(rate: float | np.ndarray, nonmembers: np.ndarray | float) -> np.ndarray:
    """How many false positives a rate allows; a hair is added so that 0.001 of 1,000 is 1."""
    return np.floor(np.asarray(rate) * np.asarray(nonmembers, np.float64) + 1e-6)


def _target_rates(
    scores: np.ndarray,
    positives: np.ndarray,
    negatives: np.ndarray,
    weights: np.ndarray,
    rates: tuple[float, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """`rates_of` for one target, whose members and non-members are rows: (auc, tpr [rates]) of each resample."""
    if not (len(positives) and len(negatives)):
        nothing = np.full(weights.shape[1], np.nan)
        return nothing, np.tile(nothing, (len(rates), 1))
    positives = positives[np.argsort(-scores[positives], kind="stable")]
    negatives = negatives[np.argsort(-scores[negatives], kind="stable")]
    # Sums of counts, and so exact in float32 up to 2^24. Row i: what the i highest members weigh.
    caught = np.zeros((len(positives) + 1, weights.shape[1]), np.float32)
    np.cumsum(weights[positives], axis=0, out=caught[1:])
    alarms = weights[negatives]
    # How many members stand strictly above each non-member; and above or level with it.
    above = np.searchsorted(-scores[positives], -scores[negatives], side="left")
    level = np.searchsorted(-scores[positives], -scores[negatives], side="right")

    with np.errstate(invalid="ignore", divide="ignore"):
        total = caught[-1].astype(np.float64)
        false_positives = np.cumsum(alarms, axis=0)
        count = false_positives[-1].astype(np.float64)
        pairs = np.einsum("nr,nr->r", alarms, caught[above], dtype=np.float64)
        if not np.array_equal(above, level):
            pairs = (pairs + np.einsum("nr,nr->r", alarms, caught[level], dtype=np.float64)) / 2
        tpr = np.empty((len(rates), weights.shape[1]))
        # The thresholds of low rates lie among the highest non-members: no need to look further down.
        top = false_positives[: int(4 * max(rates) * len(negatives)) + 64]
        if np.any(top[-1] <= max(rates) * count):
            top = false_positives
        for i, rate in enumerate(rates):
            # The first non-member too many: a score must beat it. Non-members level with it are not alarms either.
            limit = np.sum(top <= allowed(rate, count)[None], axis=0)
            beaten = above[np.minimum(limit, len(negatives) - 1)]
            tpr[i] = np.take_along_axis(caught, beaten[None], axis=0)[0] / total
        return pairs / (total * count), np.where(count > 0, tpr, np.nan)


def rates_of(
    scores: np.ndarray,
    member: np.ndarray,
    valid: np.ndarray,
    resamples: Resamples,
    rates: tuple[float, ...],
    *,
    of: np.ndarray | None = None,
) -> Rates:
    """AUC and true-positive rates of every target under every resample, the threshold set anew in each.

    Args:
      scores: [targets, points], higher = member.
      member: bool [targets, points].
      valid: bool [targets, points]; the others do not count.
      resamples: see `bootstrap.resample`.
      rates: false-positive rates.
      of: bool [points]: only members among these points count (the non-members, and so the threshold, are everyone's).

    Returns:
      `Rates`; NaN where a target has no member or no non-member in a resample.
    """

    part = np.ones(scores.shape[1], bool) if of is None else of

    def one(target: int) -> tuple[np.ndarray, np.ndarray]:
        members = np.flatnonzero(valid[target] & member[target] & part)
        others = np.flatnonzero(valid[target] & ~member[target])
        return _target_rates(scores[target], members, others, resamples.points, rates)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(one, range(len(scores))))
    return Rates(np.stack([auc for auc, _ in results]), np.stack([tpr for _, tpr in results], axis=1))


def mean_curve(scores: np.ndarray, member: np.ndarray, valid: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The mean over targets of the true-positive rate at each false-positive rate.

    Args:
      scores: [targets, points].
      member: bool [targets, points].
      valid: bool [targets, points].
      rates: [rates].

    Returns:
      [rates].
    """
    curves = []
    for target, keep in enumerate(valid):
        own, known = scores[target][keep], member[target][keep]
        members, others = np.sort(own[known]), np.sort(own[~known])[::-1]
        if len(members) and len(others):
            limit = allowed(rates, len(others)).astype(int)
            beaten = np.searchsorted(members, others[np.minimum(limit, len(others) - 1)], side="right")
            curves.append(np.where(limit < len(others), 1 - beaten / len(members), 1.0))
    return np.mean(curves, axis=0)
