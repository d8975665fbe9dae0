"""What a map is worth for finding the values that a model uses: deletion and insertion curves beyond random order."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from leakjax.defend.coarsen import repeated

Scalar = Callable[[jax.Array], jax.Array]


class Curves(NamedTuple):
    """Areas under the two curves of one example, each the mean of the model's output along the way.

    Attributes:
      insertion: the most important values first put back into the baseline; high is good.
      deletion: the most important values first replaced by the baseline; low is good.
    """

    insertion: jax.Array
    deletion: jax.Array


def as_large_as(attribution: jax.Array, x: jax.Array) -> jax.Array:
    """The attribution at the shape of the query: a coarse or one-channel map repeats its values."""
    return repeated(attribution, x.shape)


def curves(
    f: Scalar,
    x: jax.Array,
    attribution: jax.Array,
    *,
    key: jax.Array,
    baseline: jax.Array | float = 0.0,
    steps: int = 16,
) -> Curves:
    """Deletion and insertion of the values of one example in the order of a map.

    Args:
      f: the deployed model's output of the explained class, of one example: x -> scalar.
      x: the query.
      attribution: of its shape, or coarser; larger values come first, equal ones in random order.
      key: breaks ties.
      baseline: what a value is replaced by.
      steps: parts in which the values go; at most as many as there are values.

    Returns:
      The areas, by the trapezoidal rule over the share of values that have gone.

    Source: Petsiuk et al., "RISE" (arXiv 1806.07421), section 3.2; ties there fall in the order of the pixels.
    """
    value = jnp.ravel(as_large_as(attribution, x))
    order = jnp.lexsort((jax.random.uniform(key, value.shape), -value))
    rank = jnp.zeros(value.size, int).at[order].set(jnp.arange(value.size)).reshape(x.shape)
    steps = min(steps, value.size)
    gone = jnp.round(jnp.arange(steps + 1) * (value.size / steps)).astype(int)

    def both(count: jax.Array) -> tuple[jax.Array, jax.Array]:
        first = rank < count
        return f(jnp.where(first, x, baseline)), f(jnp.where(first, baseline, x))

    insertion, deletion = jax.vmap(both)(gone)
    return Curves(_area(insertion), _area(deletion))


def curve_gain(
    f: Scalar,
    x: jax.Array,
    attribution: jax.Array,
    *,
    key: jax.Array,
    baseline: jax.Array | float = 0.0,
    steps: int = 16,
    draws: int = 4,
) -> jax.Array:
    """How much larger insertion less deletion is in the order of a map than in random order.

    Args:
      f: as for `curves`.
      x: the query.
      attribution: as for `curves`.
      key: for ties and random orders.
      baseline: what a value is replaced by.
      steps: as for `curves`.
      draws: random orders whose mean is taken off.

    Returns:
      A scalar; chance is 0, and a constant map is at chance.
    """

    def difference(attribution: jax.Array, key: jax.Array) -> jax.Array:
        found = curves(f, x, attribution, key=key, baseline=baseline, steps=steps)
        return found.insertion - found.deletion

    keys = jax.random.split(jax.random.fold_in(key, 1), draws)
    chance = jax.vmap(lambda key: difference(jnp.zeros(x.shape), key))(keys).mean()
    return difference(attribution, jax.random.fold_in(key, 0)) - chance


def _area(values: jax.Array) -> jax.Array:
    return (values.sum() - (values[0] + values[-1]) / 2) / (len(values) - 1)
