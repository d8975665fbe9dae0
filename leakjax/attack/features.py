"""From the statistics of a scalar signal to the numbers that are weighed: deviations, ratios, z-scores.

The gap between in- and out-models of one point is known from some thirty models, and mostly noise; so is its
variance. Each feature makes another compromise between what one point says and what all points say of a signal:

    deviation          from halfway between the means, not weighed at all (BASE)
    empirical_bayes    the gap shrunk towards the mean gap of all points, over the point's shrunk variance
    global_variance    the same over the variance of all points
    student            log ratio of two Student-t densities, with means from the shrunk gap and shrunk variances
    z_in, z_out        distance from either mean in shrunk standard deviations
    raw                the signal itself, not calibrated by the point

Whatever is taken over points rests on the statistics of the group's targets, which know no membership of the group.
"""

from typing import NamedTuple

import numpy as np

from leakjax.attack.statistics import Statistics

FEATURES = ("deviation", "empirical_bayes", "global_variance", "student", "z_in", "z_out", "raw")
# Observations that the variance over all points counts for, beside the models' own at one point.
_PRIOR = 8.0
# A feature beyond so many root mean squares of its own says no more than one at that many.
_CUT = 30.0
_TINY = 1e-12


class Pooled(NamedTuple):
    """What all points together say of each signal, [signals, 1], in its `unit`.

    `unit` is the median spread over points; `gap` the mean difference between the means, `gap_variance` how much it
    differs from point to point beyond chance.
    """

    unit: np.ndarray
    variance_in: np.ndarray
    variance_out: np.ndarray
    gap: np.ndarray
    gap_variance: np.ndarray
    centre: np.ndarray
    range: np.ndarray


def _unit(spread: np.ndarray) -> np.ndarray:
    """The median of the spreads [signals, points] that are not 0, [signals, 1]; 1 where all are."""
    units = [np.median(one[one > 0]) if (one > 0).any() else 1.0 for one in spread]
    return np.array(units, np.float32)[:, None]


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    total = np.sum(values, axis=1, keepdims=True, where=where, dtype=np.float64)
    return (total / np.maximum(where.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def pool(statistics: Statistics) -> Pooled:
    """What all points say of each signal.

    Args:
      statistics: of one pair at many points: each [signals, points].

    Returns:
      `Pooled`.
    """
    s = statistics
    unit = _unit(s.spread)
    scale = np.minimum(s.spread / unit, _MOST)
    live = (s.spread > 0) & (s.count_in > 1) & (s.count_out > 1)
    of_in = s.variance_in * scale**2 * _unbiased(s.count_in)
    of_out = s.variance_out * scale**2 * _unbiased(s.count_out)
    gaps = (s.mean_in - s.mean_out) * scale
    gap = _mean(gaps, live)
    variance_in, variance_out = _mean(of_in, live) + _TINY, _mean(of_out, live) + _TINY
    chance = of_in / np.maximum(s.count_in, 1) + of_out / np.maximum(s.count_out, 1)
    beyond = np.maximum(_mean((gaps - gap) ** 2 - chance, live), 1e-6 * (variance_in + variance_out))
    centre = np.median(s.centre, axis=1, keepdims=True)
    width = np.median(np.abs(s.centre - centre), axis=1, keepdims=True) + unit
    return Pooled(unit, variance_in, variance_out, gap, beyond, centre, width)


# Spreads of a point beyond so many typical ones are cut, so that their squares stay finite.
_MOST = 1e6


def _unbiased(count: np.ndarray) -> np.ndarray:
    return count / np.maximum(count - 1, 1)


def features(statistics: Statistics, pooled: Pooled, chosen: tuple[str, ...] = FEATURES) -> np.ndarray:
    """The features of pairs at many points.

    Args:
      statistics: each [pairs, signals, points], the last two [signals, points].
      pooled: of the group that the pairs serve.
      chosen: names in `FEATURES`.

    Returns:
      [pairs, features x signals, points], finite; 0 where a signal is constant over the models, is missing or has
      no in- or no out-models behind it.
    """
    s, p = statistics, pooled
    with np.errstate(all="ignore"):  # of signals that are not live
        scale = np.minimum(s.spread / p.unit, _MOST)
        shrunk_in = (s.count_in * s.variance_in * scale**2 + _PRIOR * p.variance_in) / (s.count_in + _PRIOR)
        shrunk_out = (s.count_out * s.variance_out * scale**2 + _PRIOR * p.variance_out) / (
            s.count_out + _PRIOR
        )
        both = (s.count_in * shrunk_in + s.count_out * shrunk_out) / np.maximum(s.count_in + s.count_out, 1)
        overall = (p.variance_in + p.variance_out) / 2
        deviation = (s.answer - (s.mean_in + s.mean_out) / 2) * scale
        uncertain = both * (1 / np.maximum(s.count_in, 1) + 1 / np.maximum(s.count_out, 1))
        seen = (s.mean_in - s.mean_out) * scale
        gap = (seen * p.gap_variance + p.gap * uncertain) / (p.gap_variance + uncertain)
        z_in, z_out = (deviation - gap / 2) / np.sqrt(shrunk_in), (deviation + gap / 2) / np.sqrt(shrunk_out)
        made = {
            "deviation": deviation,
            "empirical_bayes": gap * deviation / both,
            "global_variance": gap * deviation / overall,
            "student": _log_student(z_in, shrunk_in, s.count_in + _PRIOR)
            - _log_student(z_out, shrunk_out, s.count_out + _PRIOR),
            "z_in": z_in,
            "z_out": z_out,
            "raw": s.answer * scale * (p.unit / p.range) + (s.centre - p.centre) / p.range,
        }
        live = (s.spread > 0) & (s.count_in > 1) & (s.count_out > 1)
        values = np.stack([made[name] for name in chosen], axis=1)
        np.copyto(values, 0.0, where=~live[:, None])
        return cut(values.reshape(len(values), -1, values.shape[-1]))


def _log_student(z: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    return -(freedom + 1) / 2 * np.log1p(z**2 / freedom) - np.log(variance) / 2


def cut(values: np.ndarray) -> np.ndarray:
    """Features [pairs, features, points], cut at some root mean squares of their own over all pairs and points."""
    squares = np.einsum("pfn,pfn->f", values, values)
    if not np.isfinite(squares).all():
        values = np.nan_to_num(values)
        squares = np.einsum(
            "pfn,pfn->f", values, values, dtype=np.float64
        )  # which holds every float32's square
    most = _CUT * np.sqrt(squares / max(1, values[:, :1].size)).astype(np.float32)[:, None]
    return np.clip(values, -most, most)
