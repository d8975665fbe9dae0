"""Many accounts' streams at a time: their scores, and where they alarm."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import fail
from leakjax.monitor.monitor import Monitor, run


def scores_of(monitor: Monitor, streams: jax.Array) -> jax.Array:
    """The scores of every query of some accounts, each with a state of its own.

    Args:
      monitor: which.
      streams: float [accounts, queries, features].

    Returns:
      float32 [accounts, queries].

    Raises:
      UsageError: streams of another shape, or not finite.
    """
    shape = np.shape(streams)
    if len(shape) != 3 or shape[2] != monitor.features:
        raise fail("streams", shape, f"must be [accounts, queries, {monitor.features}]")
    streams = jnp.asarray(streams, jnp.float32)
    if not bool(jnp.isfinite(streams).all()):
        raise fail("streams", "not finite", "must be finite")
    return _program(monitor)(streams)


def highest_scores(monitor: Monitor, streams: jax.Array) -> np.ndarray:
    """The highest score of each account, of which `threshold` sets a threshold.

    Args:
      monitor: which.
      streams: as in `scores_of`.

    Returns:
      float32 [accounts].

    Raises:
      UsageError: as `scores_of`.
    """
    return np.asarray(scores_of(monitor, streams)).max(axis=1)


def alarms_at(scores: np.ndarray, threshold: float) -> np.ndarray:
    """The number of the query, from 1, at which each account alarms first; 0 where it never does.

    Args:
      scores: [accounts, queries].
      threshold: a score above it is an alarm.

    Returns:
      int [accounts].
    """
    above = np.asarray(scores) > threshold
    return np.where(above.any(axis=1), above.argmax(axis=1) + 1, 0)


@functools.lru_cache(maxsize=64)
def _program(monitor: Monitor) -> Callable[[jax.Array], jax.Array]:
    return jax.jit(jax.vmap(lambda stream: run(monitor, stream)[1]))
