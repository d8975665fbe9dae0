"""The attack that makes LIME's explanation by itself, from predictions of masked copies of one record."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.attack import Attack, Site, cosine
from leakjax.monitoring.world import Answer, World

RIDGE = 1.0
_MANY = 1000  # masks of the explanation that is aimed at


class Masks(NamedTuple):
    """The record, how many masks there were, the regression so far (inverse, weights), and LIME's own weights."""

    site: Site
    number: jax.Array
    inverse: jax.Array
    weights: jax.Array
    truth: jax.Array


def lime_masks(world: World) -> Attack:
    """Queries with about half of the cells hidden at the least value, and a ridge regression on which were shown.

    Source: Ribeiro, Singh and Guestrin, "Why should I trust you?" (KDD 2016), section 3.4.
    """
    cells = jnp.asarray(world.cells)
    count = int(np.max(world.cells)) + 1

    def shown(site: Site, number: jax.Array) -> jax.Array:
        return jax.random.bernoulli(jax.random.fold_in(site.key, number), 0.5, (count,))

    def masked(site: Site, number: jax.Array) -> jax.Array:
        return jnp.where(shown(site, number)[cells], site.x, world.low)

    def row(site: Site, number: jax.Array) -> jax.Array:
        return jnp.append(shown(site, number) - 0.5, 1.0)

    def start(variables: Any, site: Site) -> Masks:
        numbers = _MANY + jnp.arange(_MANY)
        rows = jax.vmap(lambda one: row(site, one))(numbers)
        values = jax.vmap(
            lambda one: jax.nn.log_softmax(worlds.logits(variables, masked(site, one)))[site.label]
        )(numbers)
        gram = rows.T @ rows + RIDGE * jnp.eye(count + 1)
        truth = jnp.linalg.solve(gram, rows.T @ values)[:-1]
        nothing = jnp.zeros(count + 1)
        return Masks(site, jnp.zeros((), jnp.int32), jnp.eye(count + 1) / RIDGE, nothing, truth)

    def ask(state: Masks) -> tuple[jax.Array, jax.Array]:
        return masked(state.site, state.number), state.site.label

    def hear(state: Masks, x: jax.Array, said: Answer) -> Masks:
        # One more row of a ridge regression, by Sherman and Morrison.
        own = row(state.site, state.number)
        along = state.inverse @ own
        gain = along / (1 + own @ along)
        error = said.log_probability[state.site.label] - own @ state.weights
        return state._replace(
            number=state.number + 1,
            inverse=state.inverse - jnp.outer(gain, along),
            weights=state.weights + gain * error,
        )

    def progress(variables: Any, state: Masks) -> jax.Array:
        return cosine(state.weights[:-1], state.truth)

    return Attack("lime_masks", "cosine to LIME's weights", 0.9, start, ask, hear, progress)
