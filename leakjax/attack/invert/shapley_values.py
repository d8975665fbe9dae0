"""The features of an input from its Shapley values, without data of one's own: random queries with like values.

A feature's Shapley value often follows the feature itself. Over random queries an attacker sees for which features it
does, and takes the mean over those random queries whose value is nearest to the target's.

Source: Luo, Jiang, Xiao 2022, "Feature Inference Attack on Shapley Values", section 5 (the attack without auxiliary
data); the one with such data is `learned.learn`.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least, fail
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

KNOWS = "the released Shapley values, the range of every feature, and answers to random queries"


class Read(NamedTuple):
    """What was read off Shapley values.

    Attributes:
      features: [targets, features]; where a value does not follow its feature, the mean over the random queries.
      told: bool [features], for which features it does.
      note: what kept the attack from going on, "" if nothing did.
    """

    features: np.ndarray
    told: np.ndarray
    note: str


def read_features(
    oracle: Oracle[Answer],
    released: Answer,
    *,
    shape: tuple[int, ...],
    seed: int,
    queries: int = 500,
    nearest: int = 15,
    least: float = 0.3,
    low: float = 0.0,
    high: float = 1.0,
) -> Read:
    """Reads the features of targets off their released Shapley values.

    Args:
      oracle: releases Shapley values.
      released: the answers [targets].
      shape: of one example.
      seed: of the random queries.
      queries: how many of them are asked.
      nearest: how many of them an estimate is the mean of.
      least: the rank correlation, in magnitude, from which on a value counts as following its feature.
      low: least value of a feature.
      high: largest value of a feature.

    Returns:
      `Read`.

    Raises:
      UsageError: fewer than two queries, or fewer than two answered.
    """
    at_least("queries", queries, 2)
    generator = np.random.default_rng(seed)
    x = generator.uniform(low, high, (queries, *shape)).astype(np.float32)
    answer = oracle.ask(x, account=1)
    flat, values, own = x.reshape(queries, -1), _values(answer), _values(released)
    rows = np.isfinite(values).all(axis=1)
    if rows.sum() < 2:
        raise fail("answered", int(rows.sum()), f"of {queries} random queries must be at least 2")
    flat, values = flat[rows], values[rows]
    told = np.abs(_rank_correlation(flat, values)) >= least
    found = np.tile(flat.mean(axis=0), (len(own), 1)).astype(np.float64)
    for feature in np.flatnonzero(told):
        near = np.argsort(np.abs(values[:, feature] - own[:, feature, None]), axis=1, kind="stable")
        found[:, feature] = flat[near[:, :nearest], feature].mean(axis=1)
    note = "" if rows.all() else f"{np.sum(~rows)} of {queries} random queries were not answered"
    return Read(found, told, note)


def _values(answer: Answer) -> np.ndarray:
    return np.asarray(needed.explanations(answer)[0], np.float64).reshape(len(answer.action), -1)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each column of one with the same column of the other; 0 where either is constant."""
    ranks = [np.argsort(np.argsort(each, axis=0), axis=0).astype(np.float64) for each in (one, other)]
    centred = [each - each.mean(axis=0) for each in ranks]
    scale = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    constant = (np.ptp(one, axis=0) == 0) | (np.ptp(other, axis=0) == 0)
    return np.where(constant, 0.0, (centred[0] * centred[1]).sum(axis=0) / np.maximum(scale, 1e-30))
