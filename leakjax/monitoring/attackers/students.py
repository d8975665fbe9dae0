"""Copies of the service, trained on the answers that an attack got: their agreement with the model."""

from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.attack import Played
from leakjax.monitoring.world import World

AFTER = (5, 10, 20, 30, 50, 100, 200)  # queries after which a copy is trained
STEPS = 400
RATE = 0.01
_DECAY = 1e-4


def agreement(world: World, variables: Any, played: Played, heard: jax.Array, key: jax.Array) -> np.ndarray:
    """How often copies agree with the model on records of users.

    Args:
      world: whose records are predicted.
      variables: of the attacked model.
      played: one attack.
      heard: bool [queries], which queries were answered.
      key: of the copies' first weights.

    Returns:
      float [queries], the agreement of the last copy that was trained up to each query; 0 before the first.
    """
    queries = len(played.queries)
    after = [count for count in AFTER if count <= queries]
    uses = jnp.arange(queries)[None, :] < jnp.asarray(after)[:, None]
    found = np.asarray(_agreements(world.pool, variables, played, uses & heard[None, :], key))
    last = np.searchsorted(after, np.arange(1, queries + 1), side="right") - 1
    return np.where(last >= 0, found[np.maximum(last, 0)], 0.0)


@jax.jit
def _agreements(
    pool: jax.Array, variables: Any, played: Played, uses: jax.Array, key: jax.Array
) -> jax.Array:
    predict = lambda own: jnp.argmax(jax.vmap(lambda x: worlds.logits(own, x))(pool), axis=1)
    wanted = predict(variables)

    def train(use: jax.Array) -> jax.Array:
        copy, leaves = jax.tree.flatten(variables)[1], jax.tree.leaves(variables)
        keys = jax.random.split(key, len(leaves))
        first = [
            0.0 * leaf if leaf.ndim == 1 else jax.random.normal(own, leaf.shape) * (2 / leaf.shape[0]) ** 0.5
            for own, leaf in zip(keys, leaves, strict=True)
        ]
        own = jax.tree.unflatten(copy, first)
        optimizer = optax.adamw(optax.cosine_decay_schedule(RATE, STEPS), weight_decay=_DECAY)

        def loss(own: Any) -> jax.Array:
            said = jax.vmap(lambda x, asked: worlds.answer(own, x, asked))(played.queries, played.asked)
            predicted = -jnp.sum(jnp.exp(played.answers.log_probability) * said.log_probability, axis=1)
            scale = jnp.mean(jnp.sum(played.answers.explanation**2, axis=1)) + 1e-6
            explained = jnp.sum((said.explanation - played.answers.explanation) ** 2, axis=1) / scale
            return jnp.sum(jnp.where(use, predicted + explained, 0.0)) / jnp.maximum(use.sum(), 1)

        def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
            own, state = carry
            change, state = optimizer.update(jax.grad(loss)(own), state, own)
            return (optax.apply_updates(own, change), state), None

        (own, _), _ = jax.lax.scan(step, (own, optimizer.init(own)), None, length=STEPS)
        return jnp.mean(predict(own) == wanted)

    return jax.lax.map(train, uses)
