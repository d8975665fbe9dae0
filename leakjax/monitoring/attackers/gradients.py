"""Attacks that estimate the explanation that a service withholds, from its predictions around one record."""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.attack import Attack, Site, cosine
from leakjax.monitoring.world import Answer, World

STEP = 0.01  # of a difference, as a share of the range of features
SIGMA = 0.01  # of NES, likewise
GOAL = 0.7


class Differences(NamedTuple):
    """The record, which feature is next, what was measured so far, and the true gradient."""

    site: Site
    order: jax.Array
    number: jax.Array
    base: jax.Array
    estimate: jax.Array
    truth: jax.Array


def finite_differences(world: World) -> Attack:
    """One query for the record, then one for each feature, a little larger: in an order that is drawn."""
    step = STEP * (world.high - world.low)

    def start(variables: Any, site: Site) -> Differences:
        order = jax.random.permutation(site.key, world.features)
        zero = jnp.zeros((), jnp.int32)
        return Differences(
            site, order, zero, jnp.zeros(()), jnp.zeros(world.features), _truth(variables, site)
        )

    def place(state: Differences) -> jax.Array:
        return state.order[(state.number - 1) % world.features]

    def ask(state: Differences) -> tuple[jax.Array, jax.Array]:
        moved = state.site.x.at[place(state)].add(step)
        return jnp.where(state.number == 0, state.site.x, moved), state.site.label

    def hear(state: Differences, x: jax.Array, said: Answer) -> Differences:
        value = said.log_probability[state.site.label]
        measured = state.estimate.at[place(state)].set((value - state.base) / step)
        first = state.number == 0
        return state._replace(
            number=state.number + 1,
            base=jnp.where(first, value, state.base),
            estimate=jnp.where(first, state.estimate, measured),
        )

    return Attack("finite_differences", "cosine to the withheld gradient", GOAL, start, ask, hear, _progress)


class Nes(NamedTuple):
    """The record, the direction that is tried, the value on its one side, the sum so far, and the true gradient."""

    site: Site
    number: jax.Array
    value: jax.Array
    estimate: jax.Array
    truth: jax.Array


def nes(world: World) -> Attack:
    """Pairs of queries on either side of the record in normal directions (natural evolution strategies).

    Source: Ilyas, Engstrom, Athalye and Lin, "Black-box adversarial attacks with limited queries and information"
    (ICML 2018), section 3.2.
    """
    sigma = SIGMA * (world.high - world.low)

    def start(variables: Any, site: Site) -> Nes:
        zero = jnp.zeros((), jnp.int32)
        return Nes(site, zero, jnp.zeros(()), jnp.zeros(world.features), _truth(variables, site))

    def direction(state: Nes) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(state.site.key, state.number // 2), (world.features,))

    def ask(state: Nes) -> tuple[jax.Array, jax.Array]:
        sign = 1.0 - 2.0 * (state.number % 2)
        return state.site.x + sign * sigma * direction(state), state.site.label

    def hear(state: Nes, x: jax.Array, said: Answer) -> Nes:
        value = said.log_probability[state.site.label]
        second = state.number % 2 == 1
        more = direction(state) * (state.value - value) / (2 * sigma)
        return state._replace(
            number=state.number + 1,
            value=value,
            estimate=jnp.where(second, state.estimate + more, state.estimate),
        )

    return Attack("nes", "cosine to the withheld gradient", GOAL, start, ask, hear, _progress)


def _truth(variables: Any, site: Site) -> jax.Array:
    return worlds.answer(variables, site.x, site.label).explanation


def _progress(variables: Any, state: Any) -> jax.Array:
    return cosine(state.estimate, state.truth)
