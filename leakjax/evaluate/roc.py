"""AUC and true-positive rates at low false-positive rates, with ties, for many resamples at once."""

from typing import NamedTuple

import numpy as np

from leakjax._threads import one_blas_thread
from leakjax.evaluate.bootstrap import Resamples


class Rates(NamedTuple):
    """Rates of each target under each resample; NaN where a target has no member or no non-member.

    Attributes:
      auc: [targets, 1 + resamples]. Exact in the first column; the others are resampled through placements (DeLong
        et al., Biometrics 44, 1988), which is right to first order in one over the number of points.
      tpr: [rates, targets, 1 + resamples], at the largest attainable false-positive rate not above each rate.
    """

    auc: np.ndarray
    tpr: np.ndarray


def allowed(rate: float | np.ndarray, nonmembers: np.ndarray | float) -> np.ndarray:
    """How many false positives a rate allows; a hair is added so that 0.001 of 1,000 is 1."""
    return np.floor(np.asarray(rate) * np.asarray(nonmembers, np.float64) + 1e-6)


class _Ranked(NamedTuple):
    """One target's points.

    Attributes:
      members: rows of its members, highest score first.
      others: rows of its non-members, highest score first.
      above: how many members score strictly higher than each non-member.
      level: how many members score at least as high as each non-member.
    """

    members: np.ndarray
    others: np.ndarray
    above: np.ndarray
    level: np.ndarray


def _ranked(scores: np.ndarray, membership: np.ndarray, other: np.ndarray) -> _Ranked:
    members, others = np.flatnonzero(membership), np.flatnonzero(other)
    members = members[np.argsort(-scores[members], kind="stable")]
    others = others[np.argsort(-scores[others], kind="stable")]
    above = np.searchsorted(-scores[members], -scores[others], side="left")
    level = np.searchsorted(-scores[members], -scores[others], side="right")
    return _Ranked(members, others, above, level)


def _placements(ranked: _Ranked) -> tuple[np.ndarray, np.ndarray]:
    """For each member the share of non-members below it, for each non-member the share of members above it."""
    members, others, above, level = ranked
    # The non-members that a member is not above: those whose own rank begins at or before it, ties by half.
    begun = np.bincount(above, minlength=len(members) + 1) + np.bincount(level, minlength=len(members) + 1)
    return 1 - np.cumsum(begun)[:-1] / (2 * len(others)), (above + level) / (2 * len(members))


def _tpr(
    ranked: _Ranked,
    weights: np.ndarray,
    rates: tuple[float, ...],
    positives: np.ndarray,
    negatives: np.ndarray,
) -> np.ndarray:
    """The true-positive rate at each rate, the threshold set anew in each resample: [rates, resamples]."""
    members, others, above, _ = ranked
    # The thresholds of low rates lie among the highest non-members: no need to look further down.
    top = min(len(others), int(4 * max(rates) * len(others)) + 64)
    false_positives = np.cumsum(weights[others[:top]], axis=0)
    if np.any(false_positives[-1] <= max(rates) * negatives):
        false_positives = np.cumsum(weights[others], axis=0)
    # The first non-member too many: a score must beat it, and those level with it raise no alarm either. Where none
    # is too many, all members are caught.
    limits = np.stack([np.sum(false_positives <= allowed(rate, negatives)[None], axis=0) for rate in rates])
    beaten = np.append(above, len(members))[limits]
    caught = np.zeros((beaten.max() + 1, weights.shape[1]))
    np.cumsum(weights[members[: len(caught) - 1]], axis=0, out=caught[1:])
    return np.take_along_axis(caught, beaten, axis=0) / positives


def rates_of(
    scores: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    resamples: Resamples,
    rates: tuple[float, ...],
    *,
    of: np.ndarray | None = None,
) -> Rates:
    """AUC and true-positive rates of every target under every resample, the threshold set anew in each.

    Args:
      scores: [targets, points], higher = member.
      membership: bool [targets, points].
      valid: bool [targets, points]; the others do not count.
      resamples: see `bootstrap.resample`.
      rates: false-positive rates.
      of: bool [points]: only members among these points count (the non-members, and so the threshold, are
        everyone's).

    Returns:
      `Rates`.
    """
    part = np.ones(scores.shape[1], bool) if of is None else of
    weights = resamples.points
    is_member, is_other = valid & membership & part[None], valid & ~membership
    member_places, other_places = np.zeros(scores.shape), np.zeros(scores.shape)
    tpr = np.full((len(rates), len(scores), weights.shape[1]), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"), one_blas_thread():
        positives, negatives = is_member.astype(float) @ weights, is_other.astype(float) @ weights
        for target, row in enumerate(scores):
            ranked = _ranked(row, is_member[target], is_other[target])
            if len(ranked.members) and len(ranked.others):
                member_places[target, ranked.members], other_places[target, ranked.others] = _placements(
                    ranked
                )
                tpr[:, target] = _tpr(ranked, weights, rates, positives[target], negatives[target])
        of_members = (member_places @ weights) / positives
        of_others = (other_places @ weights) / negatives
    return Rates(of_members + of_others - of_members[:, :1], tpr)


def mean_curve(
    scores: np.ndarray, membership: np.ndarray, valid: np.ndarray, rates: np.ndarray
) -> np.ndarray:
    """The mean over targets of the true-positive rate at each false-positive rate.

    Args:
      scores: [targets, points].
      membership: bool [targets, points].
      valid: bool [targets, points].
      rates: [rates].

    Returns:
      [rates].
    """
    curves = []
    for row, known, keep in zip(scores, membership, valid, strict=True):
        ranked = _ranked(row, keep & known, keep & ~known)
        if len(ranked.members) and len(ranked.others):
            # What the first non-member too many leaves above itself; everything where none is too many.
            beaten = np.append(ranked.above, len(ranked.members))
            curves.append(beaten[allowed(rates, len(ranked.others)).astype(int)] / len(ranked.members))
    return np.mean(curves, axis=0)
