"""Families of near-duplicates: single linkage among the last queries, of one account or of all of them."""

from typing import NamedTuple

import jax
from jax import numpy as jnp

from leakjax._validate import at_least, positive
from leakjax.monitor.monitor import Monitor
from leakjax.monitor.sketch import SIZE, sketch, squared_distances

_REPEAT = 1e-4  # a query within this share of the radius of another is that query again


class Families(NamedTuple):
    """The last queries and the families that they belong to.

    Attributes:
      held: float32 [size, capacity], sketches, queries last for speed; infinite where none is held yet.
      family: int32 [capacity], the place of the newest query of its family.
      size: int32 [capacity], at the place of its newest query how many queries a family has had, held or not.
      entered: int32, how many queries were put in.
    """

    held: jax.Array
    family: jax.Array
    size: jax.Array
    entered: jax.Array


def families(
    features: int, *, radius: float, capacity: int = 64, size: int = SIZE, shared: bool = False
) -> Monitor:
    """How many queries the family of the newest query has had.

    A query joins the families of all queries within `radius` of it, and makes them one. A family is forgotten when the
    last of its queries has left the ring; until then those that left still count, so that decoys do not make it small.
    A query that was asked before tells nothing new and does not count again.

    Args:
      features: of a query.
      radius: in the units of the queries, below the distance of two records of different people.
      capacity: how many queries are held.
      size: of their sketches.
      shared: whether one store holds the queries of all accounts.

    Returns:
      The monitor; scores are counts.

    Raises:
      UsageError: a radius that is not above 0, or less than one query held.
    """
    positive("radius", radius)
    at_least("capacity", capacity, 1)
    at_least("size", size, 1)
    sketched, near, again = sketch(features, size), radius**2, (_REPEAT * radius) ** 2

    def init() -> Families:
        held = jnp.full((min(size, features), capacity), jnp.inf, jnp.float32)
        none = jnp.zeros(capacity, jnp.int32)
        return Families(held, none, none, jnp.zeros((), jnp.int32))

    def update(state: Families, x: jax.Array) -> tuple[Families, jax.Array]:
        own = sketched(x.astype(jnp.float32))
        squared = squared_distances(state.held, own)
        same = squared <= again
        repeated = same.any()
        place = state.entered % capacity
        family, total = _joined(state, squared <= near, place)
        put = lambda new, old: jnp.where(repeated, old, new)
        # What is not put in is written back in its place, one column, so that the ring is never copied.
        after = Families(
            state.held.at[:, place].set(put(own, state.held[:, place])),
            put(family.at[place].set(place), state.family),
            state.size.at[place].set(put(total + 1, state.size[place])),
            state.entered + 1 - repeated,
        )
        score = put(total + 1, state.size[jnp.max(jnp.where(same, state.family, 0))])
        return after, score.astype(jnp.float32)

    kind = "shared_budget" if shared else "families"
    name = f"{kind}(radius={radius:.4g}, capacity={capacity}, size={size})"
    return Monitor(name, features, init, update, shared=shared)


def shared_budget(features: int, *, radius: float, capacity: int = 2048, size: int = 32) -> Monitor:
    """Families over all accounts: what a family has been asked, whoever asked it and however many decoys lie between.

    Args:
      features: as in `families`.
      radius: as in `families`.
      capacity: how many queries of all accounts together are held; a family is forgotten after as many others.
      size: of their sketches.

    Returns:
      The monitor, whose one state watches all accounts.

    Raises:
      UsageError: as `families`.
    """
    return families(features, radius=radius, capacity=capacity, size=size, shared=True)


def _joined(state: Families, near: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The families after those of all near queries have become that of `place`, and how many queries they had.

    A family is named by the place of its newest query. The name `place` is free: the query that is there is the oldest
    one held, and a family of that name has no other.
    """

    def join(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        family, waiting, total = carry
        name = jnp.min(jnp.where(waiting, family, len(family)))
        own = family == name
        return jnp.where(own, place, family), waiting & ~own, total + state.size[name]

    start = (state.family, near, jnp.zeros((), jnp.int32))
    family, _, total = jax.lax.while_loop(lambda carry: carry[1].any(), join, start)
    return family, total
