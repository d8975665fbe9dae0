"""Aggregates in place of single explanations: group means, partial dependence and individual expectation curves.

A mean over a group is linear in its members, as the explanation over a background is in its rows: whoever can compute
what a candidate would contribute solves for who is in the group.
"""

from collections.abc import Callable

import numpy as np

from leakjax._validate import fail
from leakjax.attack import needed
from leakjax.attack.invert.mixture import Named, name_members
from leakjax.oracle import Answer, Oracle

KNOWS = "the aggregate, candidates that hold its group, and answers to them"


def expectation_curves(
    predict: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, features: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """What a model says of rows in which one feature takes other values: ICE curves.

    Args:
      predict: probabilities [queries, classes] of queries [queries, features].
      rows: [rows, features].
      features: int [swept], which features are swept.
      grid: [values], what each takes.

    Returns:
      [rows, swept x values x classes].
    """
    asked = np.repeat(rows[:, None], len(features) * len(grid), axis=1)
    which, value = np.repeat(features, len(grid)), np.tile(grid, len(features))
    asked[:, np.arange(len(which)), which] = value
    return predict(asked.reshape(-1, rows.shape[1])).reshape(len(rows), -1)


def name_group(terms: np.ndarray, aggregate: np.ndarray, *, members: int, seed: int) -> Named:
    """Names the candidates in a group of which a mean was shown; see `name_members`.

    Args:
      terms: [candidates, numbers], of each candidate alone.
      aggregate: [numbers], the group's.
      members: of the group.
      seed: of the simulations that the residual is compared with.
    """
    return name_members(terms, aggregate, members=members, seed=seed)


def own_maps(oracle: Oracle[Answer], candidates: np.ndarray) -> np.ndarray:
    """The maps of candidates, [candidates, features], asked for one by one.

    Raises:
      UsageError: the release holds no explanation.
    """
    answer = oracle.ask(candidates)
    return np.asarray(needed.explanations(answer)[0], np.float64).reshape(len(candidates), -1)


def match_curves(released: np.ndarray, own: np.ndarray, *, tolerance: float = 1e-6) -> np.ndarray:
    """Which candidates have their own curve among the released ones.

    Args:
      released: [curves, numbers], one for each member, in any order.
      own: [candidates, numbers].
      tolerance: the largest difference of equal curves.

    Returns:
      bool [candidates].

    Raises:
      UsageError: fewer than two candidates.
    """
    if len(own) < 2:
        raise fail("candidates", len(own), "must be at least 2, or there is nobody to tell apart")
    return np.array([np.abs(released - one).max(axis=1).min() <= tolerance for one in own])
