"""What an attack on the service is: it asks, it hears, and how far it came is known after every query."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from leakjax.monitor import one_digit
from leakjax.monitoring import world as worlds
from leakjax.monitoring.world import Answer, World

State = Any
OTHERS = 64  # records of the attacker's own
ACTIONS = ("answer", "coarsen", "cache", "refuse")


class Site(NamedTuple):
    """Where an attack is carried out.

    Attributes:
      x: float32 [features], the record that it is about.
      label: int32, its class.
      wanted: int32, another class.
      others: float32 [OTHERS, features], records of other classes that the attacker has.
      key: of what the attack draws.
    """

    x: jax.Array
    label: jax.Array
    wanted: jax.Array
    others: jax.Array
    key: jax.Array


class Attack(NamedTuple):
    """One kind of attack, a state machine.

    Attributes:
      name: as in reports.
      counts: what its progress is, 0 to 1.
      goal: the progress with which it has what it wanted.
      start: `start(variables, site) -> state`; the variables are for the truth that progress is compared with, alone.
      ask: `ask(state) -> (x, class)`, the next query.
      hear: `hear(state, x, answer) -> state`; not called for a query that was refused.
      progress: `progress(variables, state) -> float`, what it has by now.
    """

    name: str
    counts: str
    goal: float
    start: Callable[[Any, Site], State]
    ask: Callable[[State], tuple[jax.Array, jax.Array]]
    hear: Callable[[State, jax.Array, Answer], State]
    progress: Callable[[Any, State], jax.Array]


class Played(NamedTuple):
    """An attack that was carried out.

    Attributes:
      queries: float32 [queries, features].
      progress: float32 [queries], after each.
      answers: as they were given, leaves [queries, ...]; None where nobody needs them.
      asked: int32 [queries], the class that was asked for; None beside no answers.
    """

    queries: jax.Array
    progress: jax.Array
    answers: Any
    asked: Any


def site(world: World, key: jax.Array) -> Site:
    """Draws where an attack is carried out."""
    keys = jax.random.split(key, 5)
    row = jax.random.randint(keys[0], (), 0, len(world.pool))
    label = world.label[row]
    wanted = (label + jax.random.randint(keys[1], (), 1, world.classes)) % world.classes
    # Of other classes: a record's own class lies in one piece of the pool.
    away = jax.random.randint(keys[2], (OTHERS,), 0, len(world.pool) - world.number[label])
    rows = (world.first[label] + world.number[label] + away) % len(world.pool)
    return Site(world.pool[row], label, wanted, world.pool[rows], keys[3])


def play(
    attack: Attack,
    variables: Any,
    site: Site,
    queries: int,
    *,
    action: str | jax.Array = "answer",
    alarm: Any = 0,
) -> Played:
    """Carries an attack out against the service.

    Args:
      attack: which.
      variables: of the attacked model.
      site: where.
      queries: how many it may ask.
      action: of `ACTIONS`, by name or traced by place: what happens to queries from the alarm on.
      alarm: int, the number of the query, from 1, at which the monitor alarmed; 0: never.

    Returns:
      `Played`.
    """
    place = jnp.asarray(ACTIONS.index(action) if isinstance(action, str) else action)
    coarsened, cached = (place == ACTIONS.index(name) for name in ("coarsen", "cache"))

    def step(carry: tuple[State, jax.Array], number: jax.Array) -> tuple[Any, Any]:
        state, past = carry
        x, asked = attack.ask(state)
        alarmed = (alarm > 0) & (number + 1 >= alarm)
        nearest = past[jnp.argmin(jnp.sum((past - x[None, :]) ** 2, axis=1))]
        # Where nothing was answered there is nothing to repeat, and the query is refused.
        repeats = alarmed & cached & jnp.isfinite(nearest[0])
        refused = alarmed & ((place == ACTIONS.index("refuse")) | (cached & ~repeats))
        said = worlds.answer(variables, jnp.where(repeats, nearest, x), asked)
        said = _either(alarmed & coarsened, coarse(said), said)
        heard = jax.tree.map(
            lambda new, old: jnp.where(refused, old, new), attack.hear(state, x, said), state
        )
        past = past.at[number].set(jnp.where(alarmed, jnp.inf, x))  # what was answered in full
        return (heard, past), (x, attack.progress(variables, heard), said, asked)

    past = jnp.full((queries, site.x.size), jnp.inf, jnp.float32)
    start = (attack.start(variables, site), past)
    return Played(*jax.lax.scan(step, start, jnp.arange(queries))[1])


def coarse(said: Answer) -> Answer:
    """One digit of the probabilities and of the explanation, as `monitor.one_digit` leaves them."""
    kept = one_digit(Answer(jnp.exp(said.log_probability), said.explanation))
    return Answer(jnp.log(jnp.maximum(kept.log_probability, 0.01)), kept.explanation)


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Of the angle between two vectors; 0 where one of them is 0."""
    lengths = jnp.sqrt(jnp.sum(a**2) * jnp.sum(b**2))
    return jnp.where(lengths > 0, jnp.sum(a * b) / jnp.where(lengths > 0, lengths, 1.0), 0.0)


def _either(first: jax.Array, one: Answer, other: Answer) -> Answer:
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), one, other)
