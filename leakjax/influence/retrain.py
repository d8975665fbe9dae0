"""Leave-one-out training of any small network: every model by the same fixed regime, all at once.

A network has no unique optimum, so "the model without a record" is what the paper's fixed training regime
makes of the remaining records: the same start, steps and rate.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from leakjax._validate import at_least, positive
from leakjax.influence.influence_functions import LossFn


class Retrained(NamedTuple):
    """A network, and itself without each record.

    Attributes:
      full: The parameters trained on all records.
      without: The parameters without record i, leaves [records, ...].
      checkpoints: The full model on the way, leaves [checkpoints, ...], for TracIn.
      rates: [checkpoints], the learning rate times the steps that each checkpoint stands for.
    """

    full: Any
    without: Any
    checkpoints: Any
    rates: jax.Array


def retrain(
    loss_fn: LossFn,
    start: Any,
    x: jax.Array,
    y: jax.Array,
    *,
    l2: float = 0.0,
    steps: int = 500,
    rate: float = 0.1,
    checkpoints: int = 10,
) -> Retrained:
    """Trains a network on all records, and on all but each, by full-batch descent with momentum 0.9.

    Args:
      loss_fn: Of one example; the sum over the records plus l2/2 |parameters|^2 is minimised.
      start: Initial parameters, the same for every model.
      x: [records, ...].
      y: [records].
      l2: Penalty on the sum of losses.
      steps: Gradient steps.
      rate: Learning rate on the mean loss.
      checkpoints: How many states of the full model to keep, evenly spaced; must divide `steps`.

    Returns:
      The models.
    """
    at_least("l2", l2, 0)
    positive("rate", rate)
    at_least("checkpoints", checkpoints, 1)
    count, every = len(y), steps // checkpoints
    optimizer = optax.sgd(rate, momentum=0.9)

    def objective(parameters: Any, weight: jax.Array) -> jax.Array:
        losses = jax.vmap(loss_fn, in_axes=(None, 0, 0))(parameters, x, y)
        penalty = 0.5 * l2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(parameters))
        return (losses @ weight + penalty) / count

    def train(weight: jax.Array) -> tuple[Any, Any]:
        def step(state: tuple, _: None) -> tuple[tuple, None]:
            parameters, memory = state
            updates, memory = optimizer.update(jax.grad(objective)(parameters, weight), memory, parameters)
            return (optax.apply_updates(parameters, updates), memory), None

        def leg(state: tuple, _: None) -> tuple[tuple, Any]:
            return jax.lax.scan(step, state, None, length=every)[0], state[0]

        (parameters, _), kept = jax.lax.scan(leg, (start, optimizer.init(start)), None, length=checkpoints)
        return parameters, kept

    full, kept = jax.jit(train)(jnp.ones(count, jnp.result_type(float)))
    masks = 1 - jnp.eye(count, dtype=jnp.result_type(float))
    without = jax.jit(jax.vmap(lambda weight: train(weight)[0]))(masks)
    # Momentum 0.9 carries every gradient ten times as far.
    return Retrained(full, without, kept, jnp.full(checkpoints, 10 * rate * every / count))
