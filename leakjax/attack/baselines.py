"""Attacks of the literature on one signal of the prediction, the log-odds of the true class, beside which ours stands.

Each is a function of the signal [models, points], membership and roles; a target's group is withheld from all of them.

Sources: LiRA, Carlini et al. 2022 (arXiv 2112.03570), section V and appendix; RMIA, Zarifzadeh, Liu, Shokri 2024
(arXiv 2312.03262), equations 2 to 5; BASE, Lassila et al. 2025 (arXiv 2505.04402); BaVarIA, 2025 (normal-inverse-gamma
prior on each point's mean and variance); Attack-R, Ye et al. 2022 (arXiv 2111.09679); calibrated difference, Watson et
al. 2022 (arXiv 2111.08440).
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from leakjax.attack.roles import Roles

_LEAST = 1e-12
# How many observations the prior of BaVarIA is worth.
_PRIOR = 4.0
# RMIA: the share of the population's likelihood that a point must beat, the slope of its offline estimate of
# p(x) from out-models, and how many points stand for the population.
_GAMMA, _OFFLINE, _POPULATION = 1.0, 0.3, 512

Baseline = Callable[[np.ndarray, np.ndarray, Roles], np.ndarray]


class _Groups(NamedTuple):
    """What shadows say of each target's group, each [targets, points] in float64."""

    answer: np.ndarray
    mean_in: np.ndarray
    mean_out: np.ndarray
    variance_in: np.ndarray
    variance_out: np.ndarray
    count_in: np.ndarray
    count_out: np.ndarray


def _groups(signal: np.ndarray, membership: np.ndarray, roles: Roles) -> _Groups:
    values = signal.astype(np.float64)
    present = np.isfinite(values)
    # Centred, so that squares do not cancel; a missing value weighs nothing.
    centre = np.median(np.where(present, values, 0.0), axis=0, keepdims=True)
    values = np.where(present, values - centre, 0.0)
    known = roles.known[: roles.targets].astype(np.float64)

    def moments(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight = inside & present
        count = known @ weight
        mean = known @ (weight * values) / np.maximum(count, 1)
        square = known @ (weight * values**2) / np.maximum(count, 1) - mean**2
        return mean, np.maximum(square, _LEAST) * count / np.maximum(count - 1, 1), count

    mean_in, variance_in, count_in = moments(membership)
    mean_out, variance_out, count_out = moments(~membership)
    return _Groups(
        values[roles.scored[: roles.targets]],
        mean_in,
        mean_out,
        variance_in,
        variance_out,
        count_in,
        count_out,
    )


def lira(
    signal: np.ndarray,
    membership: np.ndarray,
    roles: Roles,
    *,
    variance: str = "per_point",
    online: bool = True,
) -> np.ndarray:
    """Log ratio of two normal densities, or offline the quantile among out-models.

    Args:
      signal: [models, points].
      membership: bool [models, points].
      roles: who is attacked.
      variance: "per_point" for in- and out-models each, "pooled" over both, "global" over all points, each for in and
        out, "fixed" one for all.
      online: whether in-models are used.

    Returns:
      [targets, points], higher = member.
    """
    g = _groups(signal, membership, roles)
    over_points = lambda value: np.broadcast_to(value.mean(axis=1, keepdims=True), value.shape)
    pooled = (g.variance_in * g.count_in + g.variance_out * g.count_out) / (g.count_in + g.count_out)
    of_in, of_out = {
        "per_point": (g.variance_in, g.variance_out),
        "pooled": (pooled, pooled),
        "global": (over_points(g.variance_in), over_points(g.variance_out)),
        "fixed": (over_points(pooled), over_points(pooled)),
    }[variance]
    if not online:
        return (g.answer - g.mean_out) / np.sqrt(of_out)
    inside = stats.norm.logpdf(g.answer, g.mean_in, np.sqrt(of_in))
    return inside - stats.norm.logpdf(g.answer, g.mean_out, np.sqrt(of_out))


def base(signal: np.ndarray, membership: np.ndarray, roles: Roles) -> np.ndarray:
    """How far the answer lies above halfway between the means, not weighed. Args, Returns: as of `lira`."""
    g = _groups(signal, membership, roles)
    return g.answer - (g.mean_in + g.mean_out) / 2


def bavaria(signal: np.ndarray, membership: np.ndarray, roles: Roles) -> np.ndarray:
    """Log ratio of posterior predictive Student-t densities under one prior for all points.

    The prior's variance is the mean over points, its mean that of the point over all models; right for few shadows.
    Args, Returns: as of `lira`.
    """
    g = _groups(signal, membership, roles)
    gap = (g.mean_in - g.mean_out).mean(axis=1, keepdims=True)
    middle = (g.mean_in * g.count_in + g.mean_out * g.count_out) / (g.count_in + g.count_out)

    def predictive(
        mean: np.ndarray, variance: np.ndarray, count: np.ndarray, prior: np.ndarray
    ) -> np.ndarray:
        scale = variance.mean(axis=1, keepdims=True)
        total, freedom = _PRIOR + count, _PRIOR + count
        location = (_PRIOR * prior + count * mean) / total
        squares = _PRIOR * scale + np.maximum(count - 1, 0) * variance
        squares = squares + _PRIOR * count / total * (mean - prior) ** 2
        return stats.t.logpdf(g.answer, freedom, location, np.sqrt(squares / freedom * (total + 1) / total))

    inside = predictive(g.mean_in, g.variance_in, g.count_in, middle + gap / 2)
    return inside - predictive(g.mean_out, g.variance_out, g.count_out, middle - gap / 2)


def attack_r(signal: np.ndarray, membership: np.ndarray, roles: Roles) -> np.ndarray:
    """The share of out-models that answer with less confidence, ties by half. Args, Returns: as of `lira`."""
    known = roles.known[: roles.targets]
    result = np.empty((roles.targets, signal.shape[1]))
    for row, (target, seen) in enumerate(zip(roles.scored, known, strict=False)):
        out = ~membership & seen[:, None] & np.isfinite(signal)
        wins = (signal < signal[target]) + 0.5 * (signal == signal[target])
        result[row] = (out * wins).sum(axis=0) / np.maximum(out.sum(axis=0), 1)
    return result


def calibrated_difference(signal: np.ndarray, membership: np.ndarray, roles: Roles) -> np.ndarray:
    """The answer less the mean of out-models. Args, Returns: as of `lira`."""
    g = _groups(signal, membership, roles)
    return g.answer - g.mean_out


def rmia(signal: np.ndarray, membership: np.ndarray, roles: Roles, *, online: bool = True) -> np.ndarray:
    """How large a share of a population the point's likelihood ratio p(x | model) / p(x) beats.

    Args:
      signal: [models, points], log-odds of the true class.
      membership: bool [models, points].
      roles: who is attacked.
      online: whether p(x) is the mean over in- and out-models, or an affine guess from out-models alone.

    Returns:
      [targets, points], higher = member.
    """
    chance = special.expit(np.nan_to_num(signal.astype(np.float64)))
    known = roles.known[: roles.targets].astype(np.float64)
    mean = lambda inside: known @ (inside * chance) / np.maximum(known @ inside.astype(float), 1)
    out = mean(~membership)
    overall = (mean(membership) + out) / 2 if online else ((1 + _OFFLINE) * out + 1 - _OFFLINE) / 2
    ratio = chance[roles.scored[: roles.targets]] / np.maximum(overall, _LEAST)
    points = ratio.shape[1]
    rows = np.arange(min(points, _POPULATION)) * points // min(points, _POPULATION)
    population = np.sort(ratio[:, rows] * _GAMMA, axis=1)
    beaten = [np.searchsorted(row, own, side="left") for row, own in zip(population, ratio, strict=True)]
    # Within the population's own resolution the ratio itself decides.
    return np.stack(beaten) / len(rows) + 1e-6 * special.expit(np.log(np.maximum(ratio, _LEAST)))


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "lira": lira,
        "lira_pooled": functools.partial(lira, variance="pooled"),
        "lira_global": functools.partial(lira, variance="global"),
        "lira_fixed": functools.partial(lira, variance="fixed"),
        "lira_offline": functools.partial(lira, online=False),
        "rmia": rmia,
        "rmia_offline": functools.partial(rmia, online=False),
        "base": base,
        "bavaria": bavaria,
        "attack_r": attack_r,
        "calibrated_difference": calibrated_difference,
    }
)
