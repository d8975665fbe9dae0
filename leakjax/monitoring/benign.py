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
DRAWS = 4  # uniform numbers that make a record

Stream = Callable[[World, jax.Array, int], jax.Array]


def records(world: World, drawn: jax.Array, labels: jax.Array | None = None) -> jax.Array:
    """Records of users: between two of one class, so that there are as many as one needs.

    Args:
      world: whose pool is drawn from.
      drawn: float32 [..., DRAWS], uniform in [0, 1): one draw makes all records, for programs that draw often compile
        for a minute.
      labels: int32 [...], their classes; any if None.

    Returns:
      float32 [..., features].
    """
    place = lambda share, number: jnp.minimum((share * number).astype(jnp.int32), number - 1)
    if labels is None:
        labels = world.label[place(drawn[..., 0], len(world.label))]
    rows = world.first[labels][..., None] + place(drawn[..., 1:3], world.number[labels][..., None])
    share = drawn[..., 3:]
    return share * world.pool[rows[..., 0]] + (1 - share) * world.pool[rows[..., 1]]


def plain(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records of any class, one after the other: float32 [queries, features]."""
    return records(world, jax.random.uniform(key, (queries, DRAWS)))


def bursts(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Runs of records of one class."""
    drawn = jax.random.uniform(key, (-(-queries // RUN), RUN, DRAWS))
    of_run = (drawn[:, 0, 0] * len(world.label)).astype(jnp.int32)
    labels = jnp.repeat(world.label[of_run], RUN)[:queries]
    return records(world, drawn.reshape(-1, DRAWS)[:queries], labels)


def retries(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records, each sent once or several times over."""
    drawn = jax.random.uniform(key, (queries + 1, DRAWS + 1))
    place = jnp.cumsum(drawn[:queries, DRAWS] < SENT_ONCE)
    return records(world, drawn[:, :DRAWS])[place]


def what_if(world: World, key: jax.Array, queries: int) -> jax.Array:
    """Records, each followed by edits of one feature, of the record or on top of the edit before."""
    number = -(-queries // (EDITS + 1))
    drawn = jax.random.uniform(key, (number, EDITS + 2, DRAWS))
    starts = records(world, drawn[:, EDITS])
    on_top = drawn[0, EDITS + 1, 0] < 0.5
    column = (drawn[:, :EDITS, 0] * world.features).astype(jnp.int32)
    rows = (drawn[:, :EDITS, 1] * len(world.pool)).astype(jnp.int32)

    value = world.pool[rows, column]
    number_of = jnp.arange(1, EDITS + 1)
    own = column[:, :, None] == jnp.arange(world.features)[None, None, :]
    # Of every feature the last edit up to each one, from 1 (0: none); without those before where edits do not add up.
    before = (number_of[None, :] <= number_of[:, None]) & (on_top | jnp.eye(EDITS, dtype=bool))
    counted = before[None, :, :, None] & own[:, None, :, :]
    last = jnp.max(jnp.where(counted, number_of[None, None, :, None], 0), axis=2)
    edited = jnp.take_along_axis(value[:, :, None], jnp.maximum(last - 1, 0), axis=1)
    after = jnp.where(last > 0, edited, starts[:, None, :])
    return jnp.concatenate([starts[:, None, :], after], axis=1).reshape(-1, world.features)[:queries]


def batches(world: World, key: jax.Array, queries: int) -> jax.Array:
    """A file of records sorted by class, sent again and again with some records renewed."""
    passes = -(-queries // FILE)
    drawn = jax.random.uniform(key, (passes, FILE, DRAWS + 1))
    # One of each of as many equal parts of the pool, which is sorted by class.
    place = (jnp.arange(FILE) + drawn[0, :, 0]) / FILE
    labels = world.label[(place * len(world.label)).astype(jnp.int32)]
    made = records(world, drawn[..., :DRAWS], jnp.broadcast_to(labels, (passes, FILE)))
    sent = [made[0]]
    for fresh, new in zip(drawn[1:, :, DRAWS, None], made[1:], strict=True):
        sent.append(jnp.where(fresh < RENEWED, new, sent[-1]))
    return jnp.concatenate(sent)[:queries]


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
