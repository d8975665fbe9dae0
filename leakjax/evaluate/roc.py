"""AUC and true-positive rates at low false-positive rates, with ties, for many resamples at once."""

from typing import NamedTuple

import numpy as np

from leakjax import _validate
from leakjax._threads import on_all_cores, one_blas_thread
from leakjax.evaluate.bootstrap import Resamples


class Rates(NamedTuple):
    """Rates of each target under each resample; NaN where a target has no member or no non-member.

    Attributes:
      auc: [targets, 1 + resamples]. Exact in the first column; the others are resampled through placements (DeLong
        et al., Biometrics 44, 1988), which is right to first order in one over the number of points.
      tpr: [rates, targets, 1 + resamples], at the largest attainable false-positive rate not above each rate;
        scores that tie are ordered at random, and this is the expectation.
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
      first: how many non-members score strictly higher than each non-member.
      last: how many non-members score at least as high as each non-member.
    """

    members: np.ndarray
    others: np.ndarray
    above: np.ndarray
    level: np.ndarray
    first: np.ndarray
    last: np.ndarray


def _ranked(scores: np.ndarray, membership: np.ndarray, other: np.ndarray) -> _Ranked:
    members, others = np.flatnonzero(membership), np.flatnonzero(other)
    members = members[np.argsort(-scores[members], kind="stable")]
    others = others[np.argsort(-scores[others], kind="stable")]
    inside, outside = -scores[members], -scores[others]
    above, level = (np.searchsorted(inside, outside, side=side) for side in ("left", "right"))
    first, last = (np.searchsorted(outside, outside, side=side) for side in ("left", "right"))
    return _Ranked(members, others, above, level, first, last)


def _placements(ranked: _Ranked) -> tuple[np.ndarray, np.ndarray]:
    """For each member the share of non-members below it, for each non-member the share of members above it."""
    members, others, above, level, *_ = ranked
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
    members, others = ranked.members, ranked.others
    # The thresholds of low rates lie among the highest non-members: no need to look further down.
    top = ranked.last[min(len(others), int(4 * max(rates) * len(others)) + 64) - 1]
    false_positives = _sums(weights[others[:top]])
    if np.any(false_positives[-1] <= allowed(max(rates), negatives)):
        false_positives = _sums(weights[others])
    limits = np.stack([allowed(rate, negatives) for rate in rates])
    # The first non-member too many; where none is, all members are caught.
    beaten = np.stack([np.sum(false_positives[1:] <= limit[None], axis=0) for limit in limits])
    none_too_many = beaten == len(others)
    beaten = np.minimum(beaten, len(others) - 1)
    level = ranked.level[beaten]
    caught = _sums(weights[members[: level.max()]])
    at = lambda sums, rows: np.take_along_axis(sums, rows, axis=0)
    found = at(caught, ranked.above[beaten])
    # Those level with it come in random order: each member comes before that non-member by the same chance.
    before = at(false_positives, ranked.first[beaten])
    tied = at(false_positives, ranked.last[beaten]) - before
    found = found + (at(caught, level) - found) * (limits + 1 - before) / (tied + 1)
    return np.where(none_too_many, 1.0, found / positives)


def _sums(weights: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, 2, ... rows: [1 + rows, columns]."""
    sums = np.zeros((len(weights) + 1, weights.shape[1]))
    np.cumsum(weights, axis=0, out=sums[1:])
    return sums


def _check_finite(scores: np.ndarray, valid: np.ndarray) -> None:
    bad = int(np.sum(valid & ~np.isfinite(scores)))
    if bad:
        raise _validate.fail(
            "scores", f"{bad} not finite", "must be finite; leave such points out by `valid` and count them"
        )


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

    Raises:
      UsageError: a valid score is not finite.
    """
    _check_finite(scores, valid)
    part = np.ones(scores.shape[1], bool) if of is None else of
    weights = resamples.points
    is_member, is_other = valid & membership & part[None], valid & ~membership
    member_places, other_places = np.zeros(scores.shape), np.zeros(scores.shape)
    tpr = np.full((len(rates), len(scores), weights.shape[1]), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"), one_blas_thread():
        positives, negatives = is_member.astype(float) @ weights, is_other.astype(float) @ weights

        def rank(target: int) -> None:
            ranked = _ranked(scores[target], is_member[target], is_other[target])
            if len(ranked.members) and len(ranked.others):
                member_places[target, ranked.members], other_places[target, ranked.others] = _placements(
                    ranked
                )
                with np.errstate(invalid="ignore", divide="ignore"):  # of this thread
                    tpr[:, target] = _tpr(ranked, weights, rates, positives[target], negatives[target])

        on_all_cores(rank, range(len(scores)))
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
    _check_finite(scores, valid)
    curves = []
    for row, known, keep in zip(scores, membership, valid, strict=True):
        ranked = _ranked(row, keep & known, keep & ~known)
        if len(ranked.members) and len(ranked.others):
            limit = allowed(rates, len(ranked.others)).astype(int)
            first = np.minimum(limit, len(ranked.others) - 1)
            above, level = ranked.above[first], ranked.level[first]
            tied = ranked.last[first] - ranked.first[first]
            found = above + (level - above) * (limit + 1 - ranked.first[first]) / (tied + 1)
            curves.append(np.where(limit < len(ranked.others), found / len(ranked.members), 1.0))
    return np.mean(curves, axis=0)


def caught(scores: np.ndarray, membership: np.ndarray, valid: np.ndarray, rate: float) -> np.ndarray:
    """Which points are called members at a false-positive rate, members and non-members alike.

    Args:
      scores: [targets, points].
      membership: bool [targets, points].
      valid: bool [targets, points].
      rate: the false-positive rate.

    Returns:
      bool [targets, points]: of each target the valid points above the first non-member too many; none where it
      has no non-member to set a threshold by.
    """
    _check_finite(scores, valid)
    result = np.zeros_like(membership)
    for target, keep in enumerate(valid):
        others = np.sort(scores[target][keep & ~membership[target]])[::-1]
        if len(others):
            limit = int(allowed(rate, len(others)))
            result[target] = keep & (
                (limit >= len(others)) | (scores[target] > others[min(limit, len(others) - 1)])
            )
    return result


class OverTargets(NamedTuple):
    """A mean over targets and its standard error, of the targets alone."""

    mean: float
    error: float


def over_targets(values: np.ndarray, beside: np.ndarray | float = 0.0) -> OverTargets:
    """The mean over targets of a figure, or of its difference from another, paired target by target.

    Args:
      values: [targets]; NaN where a target has none.
      beside: [targets], what is subtracted.

    Returns:
      `OverTargets`; the error is NaN for a single target.
    """
    differences = np.asarray(values - beside, float)
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    error = float(differences.std(ddof=1) / count**0.5) if count > 1 else float("nan")
    return OverTargets(float(differences.mean()) if count else float("nan"), error)
