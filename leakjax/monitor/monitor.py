"""What a query monitor is: two pure functions over a state of fixed size, and a threshold set on benign streams."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import fail

State = Any  # a pytree of arrays whose shapes never change


class Monitor(NamedTuple):
    """Watches the queries of one account, or of all accounts in one state, one query at a time.

    Attributes:
      name: with the options that decide the state, as in "families(radius=0.2)".
      features: how many numbers a query has.
      init: `init() -> state` before the first query.
      update: `update(state, x) -> (state, score)`, x float32 [features]; pure, may be jitted and vmapped. The higher
        the score, the less the queries so far look like those of benign accounts.
      threshold: a score above it is an alarm; infinite until it is set on benign streams, by `set_threshold`.
      shared: whether one state watches the queries of all accounts together.
    """

    name: str
    features: int
    init: Callable[[], State]
    update: Callable[[State, jax.Array], tuple[State, jax.Array]]
    threshold: float = float("inf")
    shared: bool = False


def run(monitor: Monitor, xs: jax.Array, state: State | None = None) -> tuple[State, jax.Array]:
    """Passes a stream of queries through a monitor, in one compiled loop.

    Args:
      monitor: which.
      xs: float [queries, features], in the order in which they were asked.
      state: to go on from; that of `init` if None.

    Returns:
      The state after the last query, and the scores, float32 [queries].
    """
    return jax.lax.scan(monitor.update, monitor.init() if state is None else state, xs)


def state_bytes(monitor: Monitor) -> int:
    """How many bytes the state takes, whatever has been asked."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(monitor.init)))


def query_of(monitor: Monitor, x: Any) -> np.ndarray:
    """A query as monitors take it.

    Args:
      monitor: which.
      x: of any shape with as many numbers as `monitor.features`.

    Returns:
      float32 [features].

    Raises:
      UsageError: x has another size, or is not finite.
    """
    try:
        query = np.asarray(x, np.float32).ravel()
    except (TypeError, ValueError):
        raise fail("x", x, "must be an array of numbers") from None
    if query.size != monitor.features:
        raise fail("x", f"{query.size} features", f"must have {monitor.features}, as the monitors do")
    if not np.isfinite(query).all():
        raise fail("x", f"{int(np.sum(~np.isfinite(query)))} values not finite", "must be finite")
    return query


def running_mean(mean: jax.Array, value: jax.Array, window: int) -> jax.Array:
    """The exponentially weighted mean of about the last `window` values."""
    return mean + (value - mean) / window


def running_count(count: jax.Array, event: jax.Array, window: int) -> jax.Array:
    """How often something happened in about the last `window` queries: at most `window`."""
    return count * (1 - 1 / window) + event.astype(jnp.float32)
