"""TracIn: influence as the alignment of gradients along the path of training."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax._validate import same_shape
from leakjax.influence.influence_functions import LossFn, example_gradients


def tracin(
    loss_fn: LossFn,
    checkpoints: Any,
    rates: jax.Array,
    train: tuple[jax.Array, jax.Array],
    query: tuple[jax.Array, jax.Array],
    *,
    query_loss: LossFn | None = None,
) -> jax.Array:
    """The influence of every record on every query: rate x g_query . g_record, summed over checkpoints.

    Args:
      loss_fn: Of one example.
      checkpoints: The parameters on the way, leaves [checkpoints, ...].
      rates: [checkpoints], the learning rate at each, times the steps that it stands for.
      train: x [records, ...] and y [records].
      query: x [queries, ...] and y [queries].
      query_loss: The loss whose change is wanted; loss_fn if None.

    Returns:
      [queries, records], positive when the record helps the query.

    Source: Pruthi et al., Estimating Training Data Influence by Tracing Gradient Descent, section 3
    (TracInCP).
    """
    count = jax.tree.leaves(checkpoints)[0].shape[0]
    same_shape("rates", jnp.shape(rates), (count,), "the checkpoints")

    def add(total: jax.Array, at: tuple[Any, jax.Array]) -> tuple[jax.Array, None]:
        parameters, rate = at
        of_query = example_gradients(query_loss or loss_fn, parameters, *query)
        return total + rate * (of_query @ example_gradients(loss_fn, parameters, *train).T), None

    dtype = jax.tree.leaves(checkpoints)[0].dtype
    start = jnp.zeros((len(query[1]), len(train[1])), dtype)
    return jax.lax.scan(add, start, (checkpoints, jnp.asarray(rates, dtype)))[0]
