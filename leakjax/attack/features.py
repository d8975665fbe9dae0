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

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.statistics import Statistics

FEATURES = ("deviation", "empirical_bayes", "global_variance", "student", "z_in", "z_out", "raw")
# Observations that the variance over all points counts for, beside the models' own at one point.
_PRIOR = 8.0
# A feature beyond so many root mean squares of its own says no more than one at that many.
_CUT = 30.0
_TINY = 1e-12


class Pooled(NamedTuple):
    """What all points together say of each signal, [1, signals], in its `unit`.

    `unit` is the median spread over points; `gap` the mean difference between the means, `gap_variance` how much it
    differs from point to point beyond chance.
    """

    unit: Any
    variance_in: Any
    variance_out: Any
    gap: Any
    gap_variance: Any
    centre: Any
    range: Any


def _unit(spread: np.ndarray) -> np.ndarray:
    """The median of the spreads [points, signals] that are not 0, [1, signals]; 1 where all are."""
    units = [np.median(one[one > 0]) if (one > 0).any() else 1.0 for one in spread.T]
    return np.array(units, np.float32)[None]


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    total = np.sum(values, axis=0, keepdims=True, where=where, dtype=np.float64)
    return (total / np.maximum(where.sum(axis=0, keepdims=True), 1)).astype(np.float32)


def pool(statistics: Statistics) -> Pooled:
    """What all points say of each signal.

    Args:
      statistics: of one pair at many points: each [points, signals].

    Returns:
      `Pooled`.
    """
    s = Statistics._make(map(np.asarray, statistics))
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
    centre = np.median(s.centre, axis=0, keepdims=True)
    width = np.median(np.abs(s.centre - centre), axis=0, keepdims=True) + unit
    return Pooled(unit, variance_in, variance_out, gap, beyond, centre, width)


# Spreads of a point beyond so many typical ones are cut, so that their squares stay finite.
_MOST = 1e6


def _unbiased(count: np.ndarray) -> np.ndarray:
    return count / np.maximum(count - 1, 1)


@functools.partial(jax.jit, static_argnames="chosen")
def features(statistics: Statistics, pooled: Pooled, chosen: tuple[str, ...] = FEATURES) -> jax.Array:
    """The features of pairs at many points.

    Args:
      statistics: each [points, pairs, signals], the last two [points, signals].
      pooled: of the group that the pairs serve.
      chosen: names in `FEATURES`.

    Returns:
      [points, pairs, features x signals], finite; 0 where a signal is constant over the models, is missing or has
      no in- or no out-models behind it.
    """
    p = Pooled(*(leaf[None] for leaf in pooled))  # beside [points, pairs, signals]
    centre, spread = statistics.centre[:, None], statistics.spread[:, None]
    s = statistics
    scale = jnp.minimum(spread / p.unit, _MOST)
    shrunk_in = (s.count_in * s.variance_in * scale**2 + _PRIOR * p.variance_in) / (s.count_in + _PRIOR)
    shrunk_out = (s.count_out * s.variance_out * scale**2 + _PRIOR * p.variance_out) / (s.count_out + _PRIOR)
    both = (s.count_in * shrunk_in + s.count_out * shrunk_out) / jnp.maximum(s.count_in + s.count_out, 1)
    overall = (p.variance_in + p.variance_out) / 2
    deviation = (s.answer - (s.mean_in + s.mean_out) / 2) * scale
    uncertain = both * (1 / jnp.maximum(s.count_in, 1) + 1 / jnp.maximum(s.count_out, 1))
    seen = (s.mean_in - s.mean_out) * scale
    gap = (seen * p.gap_variance + p.gap * uncertain) / (p.gap_variance + uncertain)
    z_in, z_out = (deviation - gap / 2) / jnp.sqrt(shrunk_in), (deviation + gap / 2) / jnp.sqrt(shrunk_out)

    def log_student(z: jax.Array, variance: jax.Array, freedom: jax.Array) -> jax.Array:
        return -(freedom + 1) / 2 * jnp.log1p(z**2 / freedom) - jnp.log(variance) / 2

    student = log_student(z_in, shrunk_in, s.count_in + _PRIOR) - log_student(
        z_out, shrunk_out, s.count_out + _PRIOR
    )
    made = {
        "deviation": deviation,
        "empirical_bayes": gap * deviation / both,
        "global_variance": gap * deviation / overall,
        "student": student,
        "z_in": z_in,
        "z_out": z_out,
        "raw": s.answer * scale * (p.unit / p.range) + (centre - p.centre) / p.range,
    }
    live = (spread > 0) & (s.count_in > 1) & (s.count_out > 1)
    values = [jnp.where(live, jnp.nan_to_num(made[name]), 0.0) for name in chosen]
    return cut(jnp.concatenate(values, axis=-1))


def cut(values: jax.Array) -> jax.Array:
    """Features [points, pairs, features] cut at some root mean squares of their own over all points and pairs."""
    largest = jnp.maximum(jnp.max(jnp.abs(values), axis=(0, 1), keepdims=True), 1e-30)
    typical = largest * jnp.sqrt(jnp.mean((values / largest) ** 2, axis=(0, 1), keepdims=True))
    return jnp.clip(values, -_CUT * typical, _CUT * typical)
