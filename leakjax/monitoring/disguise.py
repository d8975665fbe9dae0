"""How an attack hides: among decoys, with other attacks in turn, or behind many accounts."""

from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax.monitoring import benign
from leakjax.monitoring.plan import INTERLEAVED, SPLIT
from leakjax.monitoring.world import World

SHARES = {"decoys_50": 0.5, "decoys_90": 0.9}
DISGUISES = ("none", *SHARES, "interleaved", "split_30")


class Disguised(NamedTuple):
    """Attacks as the service sees them.

    Attributes:
      streams: float32 [accounts, queries, features]; of "split_30" SPLIT accounts for each attack, else one.
      own: int [attacks, moments], how many of its own queries an attack has asked by each query of its account, of
        "split_30" by each query of all its accounts together.
    """

    streams: jax.Array
    own: np.ndarray


def disguised(world: World, queries: jax.Array, how: str, key: jax.Array) -> Disguised:
    """Hides attacks.

    Args:
      world: whose records decoys are.
      queries: float32 [attacks, queries, features], of undisguised attacks.
      how: one of `DISGUISES`.
      key: of the decoys.

    Returns:
      `Disguised`, of as many queries for each attack; with decoys the attack comes less far in them.
    """
    attacks, number, features = queries.shape
    if how == "none":
        return Disguised(queries, np.tile(np.arange(1, number + 1), (attacks, 1)))
    if how == "interleaved":
        moments = np.arange(number)
        others = (np.arange(attacks)[:, None] + moments[None, :] % INTERLEAVED) % attacks
        streams = queries[others, moments[None, :] // INTERLEAVED]
        return Disguised(streams, np.tile(moments // INTERLEAVED + 1, (attacks, 1)))
    if how == "split_30":
        each = number // SPLIT
        parts = queries[:, : each * SPLIT].reshape(attacks, each, SPLIT, features)
        streams = jnp.swapaxes(parts, 1, 2).reshape(attacks * SPLIT, each, features)
        return Disguised(streams, np.tile(np.arange(1, each * SPLIT + 1), (attacks, 1)))
    drawn, decoys = jax.random.split(key)
    own = jax.random.uniform(drawn, (attacks, number)) >= SHARES[how]
    asked = jnp.cumsum(own, axis=1)
    records = benign.records(world, jax.random.uniform(decoys, (attacks, number, benign.DRAWS)))
    theirs = jnp.take_along_axis(queries, jnp.maximum(asked - 1, 0)[..., None], axis=1)
    return Disguised(jnp.where(own[..., None], theirs, records), np.asarray(asked))
