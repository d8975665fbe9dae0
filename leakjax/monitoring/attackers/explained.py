"""Attacks with the explanations themselves: ascent along them, and queries whose answers train a copy."""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.attack import Attack, Site
from leakjax.monitoring.world import Answer, World

STEP = 0.1  # of ascent, as a share of the usual distance of a record from the mean
AGREEMENT = 0.9


class Climb(NamedTuple):
    """Where ascent stands."""

    site: Site
    x: jax.Array


def ascent(world: World) -> Attack:
    """From the mean record along the explanation, towards a class: the steps that the advice on inversion describes."""
    mean = world.owned.mean(axis=0)
    length = STEP * world.spread * world.features**0.5

    def start(variables: Any, site: Site) -> Climb:
        return Climb(site, mean)

    def ask(state: Climb) -> tuple[jax.Array, jax.Array]:
        return state.x, state.site.wanted

    def hear(state: Climb, x: jax.Array, said: Answer) -> Climb:
        size = jnp.sqrt(jnp.sum(said.explanation**2))
        further = state.x + length * said.explanation / jnp.where(size > 0, size, 1.0)
        return state._replace(x=jnp.clip(further, world.low, world.high))

    def progress(variables: Any, state: Climb) -> jax.Array:
        return jax.nn.softmax(worlds.logits(variables, state.x))[state.site.wanted]

    return Attack("ascent", "probability of the wanted class", AGREEMENT, start, ask, hear, progress)


class Asking(NamedTuple):
    """Queries that do not depend on answers, and how many were asked."""

    site: Site
    number: jax.Array


def uniform_noise(world: World) -> Attack:
    """Uniform noise over the range of features; the answers train a copy."""

    def ask(state: Asking) -> tuple[jax.Array, jax.Array]:
        own = jax.random.fold_in(state.site.key, state.number)
        drawn = jax.random.uniform(own, (world.features,), minval=world.low, maxval=world.high)
        return drawn, state.number % world.classes

    return _copying("uniform_noise", ask)


def real_points(world: World) -> Attack:
    """Real records of the attacker's own, in a drawn order; the answers train a copy."""

    def ask(state: Asking) -> tuple[jax.Array, jax.Array]:
        # One permutation of the pool: no record is asked twice before all were.
        order = jax.random.permutation(state.site.key, len(world.pool))
        row = order[state.number % len(world.pool)]
        return world.pool[row], world.label[row]

    return _copying("real_points", ask)


def _copying(name: str, ask: Any) -> Attack:
    def start(variables: Any, site: Site) -> Asking:
        return Asking(site, jnp.zeros((), jnp.int32))

    def hear(state: Asking, x: jax.Array, said: Answer) -> Asking:
        return state._replace(number=state.number + 1)

    def progress(variables: Any, state: Asking) -> jax.Array:
        return jnp.zeros(())  # `students` trains the copies afterwards

    return Attack(name, "agreement of a copy with the model", AGREEMENT, start, ask, hear, progress)
