"""What likelihood-ratio attacks read: the answer of a scored model and the moments of the in- and out-models."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.reading import log_odds, named_class, reader
from leakjax.attack.registry import Lesson
from leakjax.attack.replies import Replies, View
from leakjax.attack.statistics import statistics

Reduce = Callable[[Replies, jax.Array, jax.Array, jax.Array], Any]


class Told(NamedTuple):
    """Each [points, pairs, signals]; all but the counts in the signal's unit, and around `centre`.

    `answer` is NaN where the scored model has none. Signals are settled as in `statistics.settle` beforehand.
    """

    answer: Any
    mean_in: Any
    mean_out: Any
    variance_in: Any
    variance_out: Any
    count_in: Any
    count_out: Any
    centre: Any


def reduction(signal: str, queries: bool) -> tuple[Reduce, tuple[str, ...], View]:
    """How a point is reduced to what `told` reads, for one signal or for the log-odds of several queries.

    Args:
      signal: a name that `reading.reader` knows.
      queries: whether the log-odds of all `Replies.queries` stand beside it as further signals.

    Returns:
      reduce, needs and view of an `Attack`.
    """
    read = reader(signal)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        signals = read.read(seen)[:, None]
        if queries:
            classes = jnp.broadcast_to(named_class(seen)[:, None], seen.queries.shape[:2])
            signals = jnp.concatenate([signals, log_odds(seen.queries, classes)], axis=1)
        found = statistics(signals, membership, known, scored)
        answer = jnp.where(jnp.isfinite(signals[scored]), found.answer, jnp.nan)
        of_pairs = lambda leaf: jnp.broadcast_to(leaf[None], answer.shape)
        return (*found._replace(answer=answer)[:-2], of_pairs(found.centre), of_pairs(found.spread))

    return reduce, (*read.needs, *(("queries", "log_probabilities") if queries else ())), read.view


def told(reduced: Any) -> Told:
    """Statistics in the signal's own unit, in float64."""
    *settled, centre, spread = (np.asarray(leaf, np.float64) for leaf in reduced)
    answer, mean_in, mean_out, variance_in, variance_out, count_in, count_out = settled
    return Told(
        answer * spread,
        mean_in * spread,
        mean_out * spread,
        variance_in * spread**2,
        variance_out * spread**2,
        count_in,
        count_out,
        centre,
    )


class Pooled(NamedTuple):
    """Variances of all points together, each [1, 1, signals].

    `within`: (in, out), mean over points of the variance over models at one point; `total`: (in, out), of all points
    and models.
    """

    within: tuple[np.ndarray, np.ndarray]
    total: tuple[np.ndarray, np.ndarray]


def pooled(lesson: Lesson) -> Pooled:
    """The variances over all points of a lesson, among the models that every shadow in the role of a target knows."""
    seen = told(lesson.reduced)
    within, total = [], []
    for mean, variance, count in (
        (seen.mean_in, seen.variance_in, seen.count_in),
        (seen.mean_out, seen.variance_out, seen.count_out),
    ):
        weight = np.where(count > 1, count, 0.0)
        whole = np.maximum(weight.sum(axis=(0, 1), keepdims=True), 1)
        average = lambda values, w=weight, n=whole: (w * values).sum(axis=(0, 1), keepdims=True) / n
        within.append(average(variance))
        about = mean + seen.centre
        total.append(average(variance) + average((about - average(about)) ** 2))
    return Pooled((within[0], within[1]), (total[0], total[1]))


def summed(values: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The sum over signals of [points, pairs, signals] where the model answered; NaN where it answered none."""
    there = np.isfinite(answer)
    return np.where(there.any(axis=-1), np.where(there, values, 0.0).sum(axis=-1), np.nan)
