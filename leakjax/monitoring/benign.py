"""What benign accounts ask: six kinds of streams, of records that no two accounts share."""

from collections.abc import Callable

import jax
from jax import numpy as jnp

from leakjax.monitoring.plan import KINDS
from leakjax.monitoring.world import World

RUN = 25  # queries of one class in a burst
EDITS = 20  # of a record by a what-if user
FILE = 50  # records of a batch
RENEWED = 0.1  # share of a file that is new when it is sent again
SENT_ONCE = 0.6  # share of queries that are not a repeat of the one before
READINGS = 3  # of a record by a noisy sensor

Stream = Callable[[World, jax.Array, int], jax.Array]


def record(world: World, key: jax.Array, label: jax.Array | None = None) -> jax.Array:
    """A record of a user: between two of one class, so that there are as many as one needs.

    Args:
      world: whose pool is drawn from.
      key: of the draw.
      label: its class; any if None.

    Returns:
      float32 [features].
    """
    keys = jax.random.split(key, 3)
    if label is None:
        label = world.label[jax.random.randint(keys[0], (), 0, len(world.label))]
    rows = world.first[label] + jax.random.randint(keys[1], (2,), 0, world.number[label])
    share = jax.random.uniform(keys[2])
    return share * world.pool[rows[0]] + (1 - share) * world.pool[rows[1]]


def plain(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records of any class, one after the other: float32 [queries, features]."""
    return jax.vmap(lambda own: record(world, own))(jax.random.split(key, queries))


def bursts(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Runs of records of one class."""
    runs, own = jax.random.split(key)
    rows = jax.random.randint(runs, (-(-queries // RUN),), 0, len(world.label))
    labels = jnp.repeat(world.label[rows], RUN)[:queries]
    return jax.vmap(lambda key, label: record(world, key, label))(jax.random.split(own, queries), labels)


def retries(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records, each sent once or several times over."""
    own, again = jax.random.split(key)
    place = jnp.cumsum(jax.random.bernoulli(again, SENT_ONCE, (queries,)))
    return plain(world, own, queries + 1)[place]


def what_if(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records, each followed by edits of one feature, of the record or on top of the edit before."""
    records, columns, values, kind = jax.random.split(key, 4)
    number = -(-queries // (EDITS + 1))
    starts = plain(world, records, number)
    column = jax.random.randint(columns, (number, EDITS), 0, world.features)
    rows = jax.random.randint(values, (number, EDITS), 0, len(world.pool))
    on_top = jax.random.bernoulli(kind)

    def edits(start: jax.Array, column: jax.Array, rows: jax.Array) -> jax.Array:
        def edit(x: jax.Array, one: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            after = jnp.where(on_top, x, start).at[one[0]].set(world.pool[one[1], one[0]])
            return after, after

        return jnp.concatenate([start[None], jax.lax.scan(edit, start, (column, rows))[1]])

    return jax.vmap(edits)(starts, column, rows).reshape(-1, world.features)[:queries]


def batches(world: World, key: jax.Array, queries: int) -> jax.Array:
    """A file of records sorted by class, sent again and again with some records renewed."""
    first, renewed, fresh = jax.random.split(key, 3)
    passes = -(-queries // FILE)
    labels = jnp.sort(world.label[jax.random.randint(first, (FILE,), 0, len(world.label))])
    new = jax.random.bernoulli(renewed, RENEWED, (passes, FILE)).at[0].set(True)
    latest = jax.lax.cummax(jnp.where(new, jnp.arange(passes)[:, None], 0), axis=0)
    keys = jax.vmap(lambda row, place: jax.random.fold_in(jax.random.fold_in(fresh, row), place))
    places = jnp.broadcast_to(jnp.arange(FILE)[None, :], latest.shape)
    drawn = keys(latest.reshape(-1)[:queries], places.reshape(-1)[:queries])
    return jax.vmap(lambda key, label: record(world, key, label))(drawn, jnp.tile(labels, passes)[:queries])


def sensors(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records as a noisy sensor reads them, each several times."""
    own, noise = jax.random.split(key)
    read = jnp.repeat(plain(world, own, -(-queries // READINGS)), READINGS, axis=0)[:queries]
    return read + world.noise * jax.random.normal(noise, read.shape)


STREAMS: dict[str, Stream] = {
    "plain": plain,
    "bursts": bursts,
    "retries": retries,
    "what_if": what_if,
    "batches": batches,
    "sensors": sensors,
}


def kind_of(account: jax.Array) -> jax.Array:
    """The kind of an account, a place in KINDS: equally many accounts are of each."""
    return account % len(KINDS)


def stream(world: World, key: jax.Array, account: jax.Array, queries: int) -> jax.Array:
    """What an account asks.

    Args:
      world: whose records.
      key: of all accounts; an account's own is folded from it.
      account: its number.
      queries: how many.

    Returns:
      float32 [queries, features].
    """
    own = jax.random.fold_in(key, account)
    choices = [lambda key, kind=STREAMS[kind]: kind(world, key, queries) for kind in KINDS]
    return jax.lax.switch(kind_of(account), choices, own)
