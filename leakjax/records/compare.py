"""Approximate influence beside exact leave-one-out training, of a linear model and of a network."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.influence.agreement import agreement
from leakjax.influence.exact import LOSSES, Service, influence
from leakjax.influence.influence_functions import (
    cross_entropy,
    influence_functions,
    layer,
    probability_loss,
)
from leakjax.influence.retrain import Retrained, retrain
from leakjax.influence.tracin import tracin
from leakjax.records.encode import Task
from leakjax.records.network import Effort, attack_network, network_logits, network_start

QUERY_LOSSES = dict(zip(LOSSES, (probability_loss, cross_entropy), strict=True))


class Training(NamedTuple):
    """How a network and all its leave-one-out models are trained.

    Attributes:
      l2: Penalty on the sum of losses.
      hidden: Units of the network.
      steps: Of gradient descent.
      rate: Its learning rate.
    """

    l2: float
    hidden: int = 8
    steps: int = 2000
    rate: float = 0.3


def linear_logits(theta: jax.Array, x: jax.Array) -> jax.Array:
    """The logit [1] of a logistic regression theta [features + 1] at one example x [features]."""
    return (x @ theta[:-1] + theta[-1])[None]


def compare_linear(service: Service, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Influence functions of the logistic regression against its exact leave-one-out, for both losses.

    Args:
      service: From serve.
      x: [queries, features].
      y: [queries], 0 or 1.
    """
    result = {}
    with jax.enable_x64(True):
        records = jnp.asarray(service.model.x[:, :-1]), jnp.asarray(service.model.y, int)
        for loss, query_loss in QUERY_LOSSES.items():
            approximate = influence_functions(
                cross_entropy(linear_logits),
                jnp.asarray(service.model.theta),
                records,
                (jnp.asarray(x), jnp.asarray(y)),
                l2=service.model.l2,
                query_loss=query_loss(linear_logits),
            )
            exact = influence(service, x, y, loss=loss)
            result[loss] = agreement(np.asarray(approximate.influence), exact)._asdict()
            result[loss]["residual"] = float(approximate.residual.max())
    return result


def compare_network(
    task: Task,
    rows: np.ndarray,
    others: np.ndarray,
    *,
    training: Training,
    effort: Effort,
    loss: str = "probability",
    key: jax.Array,
) -> dict[str, Any]:
    """A small network and all its leave-one-out models: approximations, reconstruction and defenses.

    Args:
      task: Where the points are from.
      rows: int [records], the training records.
      others: int [others], points for queries.
      training: Of the network and of every leave-one-out model.
      effort: Of the attacks.
      loss: Whose change is the influence; see influence.
      key: For initialisation, queries and attack.

    Returns:
      The network's accuracy, agreement by approximation, and the results of attack_network.
    """
    l2 = training.l2
    with jax.enable_x64(True):
        x, y = jnp.asarray(task.x[rows]), jnp.asarray(task.y[rows])
        start = network_start(x.shape[1], training.hidden, key=jax.random.fold_in(key, 0))
        loss_fn = cross_entropy(network_logits)
        models = retrain(loss_fn, start, x, y, l2=l2, steps=training.steps, rate=training.rate)
        query = jnp.asarray(task.x[others[:100]]), jnp.asarray(task.y[others[:100]])
        return {
            "records": len(rows),
            "l2": l2,
            "accuracy": float(((jax.vmap(network_logits, (None, 0))(models.full, x)[:, 0] > 0) == y).mean()),
            "agreement": approximate_network(models, (x, y), query, l2=l2, loss=loss),
            **attack_network(models, task, rows, others, effort=effort, loss=loss, key=key),
        }


def approximate_network(
    models: Retrained,
    records: tuple[jax.Array, jax.Array],
    query: tuple[jax.Array, jax.Array],
    *,
    l2: float,
    damping: float = 1.0,
    loss: str,
) -> dict[str, dict[str, float]]:
    """The agreement of three approximations with the influence by retraining.

    Args:
      models: Of network_logits.
      records: What they were trained on, x [records, features] and y [records].
      query: The queries, x [queries, features] and y [queries].
      l2: Their penalty on the sum of losses.
      damping: Of the whole network's Hessian.
      loss: Whose change is the influence; see influence.
    """
    trained, wanted = cross_entropy(network_logits), QUERY_LOSSES[loss](network_logits)
    losses = jax.vmap(wanted, in_axes=(None, 0, 0))
    without = jax.vmap(losses, in_axes=(0, None, None))(models.without, *query)
    exact = np.asarray(without - losses(models.full, *query)[None]).T
    last_logits, last = layer(network_logits, models.full, "last")
    approximations = {
        "influence functions, whole network": influence_functions(
            trained, models.full, records, query, l2=l2, damping=damping, query_loss=wanted, steps=400
        ).influence,
        "influence functions, last layer": influence_functions(
            cross_entropy(last_logits),
            last,
            records,
            query,
            l2=l2,
            query_loss=QUERY_LOSSES[loss](last_logits),
            solver="dense",
        ).influence,
        "TracIn": tracin(trained, models.checkpoints, models.rates, records, query, query_loss=wanted),
    }
    return {name: agreement(np.asarray(each), exact)._asdict() for name, each in approximations.items()}
