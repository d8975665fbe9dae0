"""Whether queries walk along lines: the cosine of successive steps."""

from typing import NamedTuple

import jax
from jax import numpy as jnp

from leakjax._validate import at_least
from leakjax.monitor.monitor import Monitor, running_mean


class Steps(NamedTuple):
    """The last query, the last step, how many steps there were (2 at most), and the mean so far."""

    last: jax.Array
    step: jax.Array
    known: jax.Array
    mean: jax.Array


def successive_steps(features: int, *, window: int = 32) -> Monitor:
    """The mean of |cosine| between successive steps from query to query, over about the last `window` steps.

    Unrelated queries have a cosine of about -1/2, a search along a line of 1 or -1, differences with alternating sign
    of -1. The mean begins at 0, so that it takes about `window` steps to an alarm. A repeated query is no step.

    Args:
      features: of a query.
      window: of the exponentially weighted mean.

    Returns:
      The monitor; scores are in [0, 1].

    Raises:
      UsageError: a window below 1.
    """
    at_least("window", window, 1)

    def init() -> Steps:
        nothing = jnp.zeros(features, jnp.float32)
        return Steps(nothing, nothing, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32))

    def update(state: Steps, x: jax.Array) -> tuple[Steps, jax.Array]:
        x = x.astype(jnp.float32)
        step = x - state.last
        length = jnp.sum(step**2)
        product = jnp.sum(step * state.step)
        known, moved = state.known, length > 0
        cosine = jnp.abs(product) / jnp.sqrt(jnp.where(moved, length * jnp.sum(state.step**2), 1.0))
        # Of the first query there is no step, of the second none before it.
        mean = jnp.where(moved & (known == 2), running_mean(state.mean, cosine, window), state.mean)
        taken = (known > 0) & moved
        after = Steps(
            x,
            jnp.where(taken, step, state.step),
            jnp.where(known == 0, 1, jnp.where(taken, 2, known)),
            mean,
        )
        return after, mean

    return Monitor(f"successive_steps(window={window})", features, init, update)
