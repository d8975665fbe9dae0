"""A ceiling for the extraction of a ReLU network: what mean explanations say to whoever is told where hinges are."""

import numpy as np

from leakjax.attack import needed
from leakjax.attack.extract.hinges import fitted
from leakjax.attack.extract.relu import ReluNetwork
from leakjax.oracle import Answer, Oracle

_LINES = 16


def extract_told(
    oracle: Oracle[Answer],
    shape: tuple[int, ...],
    classes: int,
    inward: np.ndarray,
    bias: np.ndarray,
    *,
    seed: int,
    explained: int = 20_000,
) -> ReluNetwork:
    """Reads the weights of units off the difference of mean explanations before and behind their hinges on some lines.

    No search can fail and noise counts no more than its mean does, so that what is missed was not in the explanations.

    Args:
      oracle: releases explanations that depend on the gradient, and vectors of probabilities.
      shape: of one example, with values in [0, 1].
      classes: how many there are.
      inward: [features, units], the real ones: told are their hinges on the lines, and which side is the active one.
      bias: [units].
      seed: of the lines.
      explained: about how many queries are asked, at least one a class, line and side of a unit.

    Returns:
      `ReluNetwork`, in which every unit stands twice, once for each side that may be the active one.
    """
    features, units = inward.shape
    each = max(1, explained // (_LINES * (units + 1) * classes))
    draws = np.random.default_rng(seed)
    jumps, hinges = np.zeros((units, classes, features)), np.zeros((_LINES, units, features))
    for line in range(_LINES):
        origin, drawn = np.asarray(draws.uniform(0, 1, features)), draws.standard_normal(features)
        direction = np.asarray(drawn / np.linalg.norm(drawn))
        rise = direction @ inward
        t = -(origin @ inward + bias) / rise
        order = np.argsort(t)
        shown = _means(oracle, shape, classes, origin, direction, t[order], each, draws)
        jumps[order] += np.sign(rise[order])[:, None, None] * np.diff(shown, axis=0)
        hinges[line] = origin + t[:, None] * direction
    found = np.linalg.svd(jumps, full_matrices=False)[2][:, 0]
    at = -np.median((hinges * found).sum(axis=2), axis=0)
    return fitted(oracle, shape, found, at, seed=seed)._replace(
        explained=each * _LINES * (units + 1) * classes
    )


def _means(
    oracle: Oracle[Answer],
    shape: tuple[int, ...],
    classes: int,
    origin: np.ndarray,
    direction: np.ndarray,
    hinges: np.ndarray,
    each: int,
    draws: np.random.Generator,
) -> np.ndarray:
    """Mean maps [hinges + 1, classes, features] between neighbouring hinges of a line."""
    ends = np.concatenate([hinges[:1] - 1, hinges, hinges[-1:] + 1])
    low, high = ends[:-1], ends[1:]
    t = low[:, None] + draws.uniform(0.05, 0.95, (len(low), each * classes)) * (high - low)[:, None]
    points = origin + t.reshape(-1, 1) * direction
    answer = oracle.ask(
        points.reshape(-1, *shape).astype(np.float32), np.tile(np.arange(classes), len(low) * each)
    )
    maps = np.asarray(needed.explanations(answer)[0], np.float64).reshape(len(low), each, classes, -1)
    return (
        np.nan_to_num(maps).sum(axis=1) / np.maximum(np.isfinite(maps).all(axis=-1).sum(axis=1), 1)[..., None]
    )
