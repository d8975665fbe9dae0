"""Families of models for the lemmas and the theorem: drawn parameters, and models that were trained on data."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from leakjax.influence import serve
from leakjax.papers.theorem.family import Family, family_of

Draw = Callable[[np.random.Generator, int], Family]  # of so many records


def _one(w: float, b: float, ws: np.ndarray, bs: np.ndarray) -> Family:
    return Family(np.array([w]), float(b), np.asarray(ws, float)[:, None], np.asarray(bs, float))


def shifted_one_way(rng: np.random.Generator, records: int) -> Family:
    """The full model's weight, every shift in one direction."""
    return _one(1.0, 0.0, np.ones(records), rng.choice([-1, 1]) * rng.uniform(0.05, 2, records))


def meeting_one_side(rng: np.random.Generator, records: int) -> Family:
    """All models meet the full one in one point and are steeper, or all flatter."""
    factors = rng.uniform(0.2, 0.95, records) if rng.random() < 0.5 else rng.uniform(1.05, 3, records)
    return _one(1.0, 0.3, factors, 0.3 * factors)


def meeting_both_sides(rng: np.random.Generator, records: int) -> Family:
    """All models meet the full one in one point; one is much steeper, the others flatter."""
    factors = np.append(rng.uniform(2.5, 4), rng.uniform(0.3, 0.9, records - 1))
    return _one(1.0, 0.3, factors, 0.3 * factors)


def shifted_both_ways(rng: np.random.Generator, records: int) -> Family:
    """The full model's weight, shifts in both directions, as often far on one side as on both."""
    least, most = -rng.uniform(0.02, 3), rng.uniform(0.02, 3)
    between = rng.uniform(0.0, 1.0, records - 2) * np.where(np.arange(records - 2) % 2, least, most)
    return _one(1.0, 0.0, np.ones(records), np.concatenate([[least, most], between]))


def anything(rng: np.random.Generator, records: int) -> Family:
    """Weights and shifts at random."""
    return _one(1.0, 0.0, rng.uniform(0.3, 2, records), rng.normal(size=records))


def one_weight_apart(rng: np.random.Generator, records: int) -> Family:
    """One record changes the weight, all others shift in one direction."""
    ws = np.ones(records)
    ws[0] = rng.uniform(0.5, 1.5)
    return _one(1.0, 0.0, ws, rng.uniform(0.05, 2, records))


def frozen_weight(rng: np.random.Generator, records: int) -> Family:
    """Trained: the weight is fixed, the bias is fitted with a penalty to points of one class."""
    x = rng.normal(size=records)

    def bias(points: np.ndarray) -> float:
        value = 0.0
        for _ in range(60):
            chance = 1 / (1 + np.exp(-(points - value)))
            value -= ((1 - chance).sum() + value) / ((chance * (1 - chance)).sum() + 1.0)
        return float(value)

    return _one(1.0, bias(x), np.ones(records), np.array([bias(np.delete(x, row)) for row in range(records)]))


def two_ends(rng: np.random.Generator, records: int) -> Family:
    """Trained: points of one feature, a class on either side, the inner ones far ahead of the outer ones."""
    half = 0.8 + 0.4 * np.arange(records // 2) + rng.uniform(0, 0.05, records // 2)
    other = 0.8 + 0.4 * np.arange(records - records // 2) + rng.uniform(0, 0.05, records - records // 2)
    x = np.concatenate([-half, other])
    return family_of(serve(x[:, None], (x > 0).astype(float), l2=1e-3))


def circle(rng: np.random.Generator, records: int) -> Family:
    """Trained: points on a circle whose labels alternate."""
    angles = 2 * np.pi * (np.arange(records) + rng.random()) / records
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return family_of(serve(x, np.arange(records) % 2.0, l2=1.0))


def tangents(rng: np.random.Generator, records: int) -> Family:
    """Lemma F.2 as it is written: w_k = 2 k and b_k = k^2, the tangents of y^2, beside a constant full model.

    All are scaled alike: beside a constant of 1/2 the larger influence is that of the larger logit, whatever the scale.
    """
    k, scale = np.arange(1, records + 1), 1 / (2 * records**2)
    return _one(0.0, 0.0, scale * 2.0 * k, scale * k**2.0)


def raised_tangents(rng: np.random.Generator, records: int) -> Family:
    """Lemma F.2 corrected: the same tangents raised by m^2, so that none is below the full model."""
    k, scale = np.arange(1, records + 1), 1 / (2 * records**2)
    return _one(0.0, 0.0, scale * 2.0 * k, scale * (k**2.0 - records**2))


ON_A_LINE: Mapping[str, Draw] = MappingProxyType(
    {
        "shifted one way": shifted_one_way,
        "meeting in a point, all steeper or all flatter": meeting_one_side,
        "meeting in a point, one steeper, others flatter": meeting_both_sides,
        "shifted both ways": shifted_both_ways,
        "one weight apart": one_weight_apart,
        "weights and shifts at random": anything,
        "trained: weight fixed, one class": frozen_weight,
        "trained: a class on either side": two_ends,
    }
)
