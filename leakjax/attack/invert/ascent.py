"""Query ascent, the five steps of the source: change an input until the service is sure of a class.

The explanation serves as the gradient; without one an attacker estimates it by finite differences or by natural
evolution strategies (NES), from plain queries. All targets climb in lock-step, one batch of queries a step.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least, one_of
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, the range of inputs, and the name of the class"
WAYS = ("explanation", "finite_differences", "nes")
SURE = 0.99


class Climbed(NamedTuple):
    """Where the climbs ended.

    Attributes:
      x: [targets, ...], the surest input that each found.
      confidence: [targets], in its class.
      queries: [targets], how many it took to be sure, or all that were asked.
      note: what kept the attack from going on, "" if nothing did.
    """

    x: np.ndarray
    confidence: np.ndarray
    queries: np.ndarray
    note: str


def ascend(
    oracle: Oracle[Answer],
    classes: np.ndarray,
    start: np.ndarray,
    *,
    way: str,
    steps: int,
    seed: int,
    rate: float = 0.5,
    probe: float = 0.05,
    directions: int = 16,
    low: float = 0.0,
    high: float = 1.0,
) -> Climbed:
    """Climbs towards classes.

    The options are those of the source's five steps, each with its default.

    Args:
      oracle: releases vectors of probabilities; for "explanation" also gradients of the class that is asked for.
      classes: int [targets].
      start: [targets, ...].
      way: a name in `WAYS`.
      steps: of each climb at most.
      seed: of the directions of NES.
      rate: the largest change of a feature in a step.
      probe: by how much a probe differs.
      directions: of NES, each asked for on both sides.
      low: least value of a feature.
      high: largest value of a feature.

    Returns:
      `Climbed`.
    """
    one_of("way", way, WAYS)
    at_least("steps", steps, 1)
    generator = np.random.default_rng(seed)
    x = np.array(start, np.float32)
    best, surest = x.copy(), np.full(len(x), -np.inf)
    took, asked, note = np.zeros(len(x), int), 0, ""
    for step in range(steps):
        if way == "explanation":
            answer = oracle.ask(x, classes)
            slope, logs, cost = needed.explanations(answer)[0], _logs(answer, classes), 1
        else:
            logs = _logs(oracle.ask(x, plain=True), classes)
            probes, weights = _probes(x.shape[1:], way, probe, directions, generator)
            slope, cost = _estimated(oracle, x, classes, probes, weights), 1 + 2 * len(probes)
        asked += cost
        better = np.nan_to_num(logs, nan=-np.inf) > surest
        best[better], surest[better] = x[better], logs[better]
        took[(took == 0) & (surest >= np.log(SURE))] = asked
        lost = ~np.isfinite(logs) | ~np.isfinite(slope).reshape(len(x), -1).all(axis=1)
        if lost.all() or (took > 0).all():
            note = f"no query was answered after step {step}" if lost.all() else ""
            break
        slope = np.where(_wide(lost, slope), 0.0, slope)
        length = np.abs(slope).reshape(len(x), -1).max(axis=1)
        x = np.clip(x + rate * slope / _wide(np.maximum(length, 1e-12), slope), low, high).astype(np.float32)
    took[took == 0] = asked
    return Climbed(best, np.exp(surest), took, note)


def _probes(
    shape: tuple[int, ...], way: str, probe: float, directions: int, generator: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Probes [probes, ...], and what the differences across them are multiplied with."""
    features = int(np.prod(shape))
    if way == "finite_differences":
        return (probe * np.eye(features)).reshape(features, *shape), 1 / (2 * probe**2)
    drawn = generator.standard_normal((directions, *shape))
    return probe * drawn, 1 / (2 * probe**2 * directions)


def _estimated(
    oracle: Oracle[Answer], x: np.ndarray, classes: np.ndarray, probes: np.ndarray, weight: float
) -> np.ndarray:
    """The slope of the class's log-probability at x [targets, ...], from answers on both sides of it."""
    sides = []
    for sign in (1.0, -1.0):
        asked = (x[:, None] + sign * probes[None]).reshape(-1, *x.shape[1:]).astype(np.float32)
        logs = _logs(oracle.ask(asked, plain=True), np.repeat(classes, len(probes)))
        sides.append(logs.reshape(len(x), len(probes)))
    return weight * np.einsum("tp,p...->t...", sides[0] - sides[1], probes)


def _logs(answer: Answer, classes: np.ndarray) -> np.ndarray:
    return np.take_along_axis(needed.vectors(answer), np.asarray(classes)[:, None], axis=1)[:, 0]


def _wide(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), *(1,) * (like.ndim - 1))
