"""A full model and those without one record each, and which records a query reveals."""

from typing import NamedTuple

import numpy as np

from leakjax.influence import Service

# Logs of influences so near to each other are not told apart.
_LEVEL = 1e-9
_ROUNDING = 1e-14
_REACH = np.concatenate([-np.logspace(4, -5, 181), np.logspace(-5, 4, 181)])


class Family(NamedTuple):
    """Logistic models f(y) = 1 / (1 + exp(-w y + b)), in the paper's signs.

    Attributes:
      w: [features], of the full model.
      b: of the full model.
      ws: [records, features], without each record.
      bs: [records].
    """

    w: np.ndarray
    b: float
    ws: np.ndarray
    bs: np.ndarray


def family_of(service: Service) -> Family:
    """The models of a service."""
    full, without = service.model.theta, service.without.theta
    return Family(full[:-1], -float(full[-1]), without[:, :-1], -without[:, -1])


def log_influence(family: Family, queries: np.ndarray) -> np.ndarray:
    """log |f(y) - f_x(y)| of every record on every query, right where the difference is far below any float.

    With a and c the logits, the difference is sinh((a - c) / 2) / (2 cosh(a / 2) cosh(c / 2)).

    Args:
      family: of models.
      queries: [queries, features].

    Returns:
      [queries, records]; -inf where the models agree.
    """
    full = (queries @ family.w - family.b)[:, None]
    without = queries @ family.ws.T - family.bs
    apart = np.abs(without - full) / 2
    # Logits that differ by rounding alone are equal.
    apart = np.where(apart > _ROUNDING * (1 + np.abs(full) + np.abs(without)), apart, 0.0)
    with np.errstate(divide="ignore"):
        sinh = apart + np.log(-np.expm1(-2 * apart))
    cosh = lambda half: np.abs(half) + np.log1p(np.exp(-2 * np.abs(half)))
    return sinh - cosh(full / 2) - cosh(without / 2)


def answered(family: Family, queries: np.ndarray) -> np.ndarray:
    """The record that each query reveals, int [queries]; -1 where no record has influence, or two could be on top.

    Of records with the same model the first is released, the paper's rule for ties (section 3.2). Others that are level
    to what float64 can tell are left undecided: far out, where sigmoids are flat, it can tell nothing.
    """
    sizes = log_influence(family, queries)
    top = sizes.max(axis=1)
    level = sizes >= top[:, None] - _LEVEL
    first = np.argmax(level, axis=1)
    models = np.concatenate([family.ws, family.bs[:, None]], axis=1)
    same = (models[:, None] == models[None]).all(axis=-1)  # [records, records]
    undecided = (level & ~same[first]).any(axis=1)
    return np.where(np.isneginf(top) | undecided, -1, first)


def revealed(family: Family, queries: np.ndarray) -> np.ndarray:
    """Every record that some query reveals, sorted."""
    found = np.unique(answered(family, queries))
    return found[found >= 0]


def on_a_line(family: Family) -> np.ndarray:
    """Queries [queries, 1] for models of one feature: near and far from every place where two of them agree.

    Which record is on top can change only where two influences are equal: where two models agree, or lie on either
    side of the full one. Queries at 362 distances, from 1e-5 to 1e4, from every crossing see every such interval that
    is not narrower; a grid between the outermost crossings sees the rest.
    """
    slopes, shifts = np.append(family.ws[:, 0], family.w[0]), np.append(family.bs, family.b)
    rise = slopes[:, None] - slopes[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = (shifts[:, None] - shifts[None]) / rise
    crossings = np.unique(crossings[np.abs(rise) > 1e-12])
    centres = crossings if len(crossings) else np.zeros(1)
    reach = np.linspace(centres.min() - 20, centres.max() + 20, 20_001)
    return np.concatenate([(centres[:, None] + _REACH).ravel(), centres, reach])[:, None]


def around(centre: np.ndarray, *, directions: int, seed: int) -> np.ndarray:
    """Queries [queries, features] in random directions from a point, near and far.

    Args:
      centre: [features].
      directions: how many.
      seed: of the draw.
    """
    turns = np.random.default_rng(seed).standard_normal((directions, len(centre)))
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    return (centre + np.logspace(-4, 2, 25)[:, None, None] * turns).reshape(-1, len(centre))
