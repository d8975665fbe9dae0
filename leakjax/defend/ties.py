"""What a map repeats: places of one value, and places of 0.

Masking methods give a whole cell, window or segment one value, and a product with the query is 0 where the query is 0.
Where each place is changed by itself such a map loses its pattern and hides little: whoever takes the mean of a cell
undoes noise that was drawn for each of its places, and noise at a place of 0 is seen to be noise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Ties(NamedTuple):
    """The pattern of one map.

    Attributes:
      group: int [features], below their number; equal where the map is equal.
      live: bool [features], where the map is not 0.
    """

    group: jax.Array
    live: jax.Array


def ties(flat: jax.Array) -> Ties:
    """The pattern of a flattened map [features]."""
    order = jnp.argsort(flat)
    ordered = flat[order]
    rises = jnp.concatenate([jnp.zeros(1, bool), ordered[1:] != ordered[:-1]])
    return Ties(jnp.zeros(flat.shape, int).at[order].set(jnp.cumsum(rises)), flat != 0)


def within(pattern: Ties, values: jax.Array) -> jax.Array:
    """Values [features] with the mean of each group in place of its members, and 0 where the map is 0."""
    size = len(pattern.group)
    total = jax.ops.segment_sum(values, pattern.group, size)
    count = jax.ops.segment_sum(jnp.ones_like(values), pattern.group, size)
    return jnp.where(pattern.live, (total / jnp.maximum(count, 1))[pattern.group], 0)


def dimensions(pattern: Ties) -> jax.Array:
    """How many different values other than 0 the map has."""
    return jnp.max(pattern.group, initial=-1) + 1 - jnp.any(~pattern.live)
