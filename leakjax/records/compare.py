"""Approximate influence beside exact leave-one-out training, and the attack on a model that is not linear."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.records.agreement import agreement
from leakjax.records.baselines import DISTRIBUTIONS, distinct_revealed, draw_queries
from leakjax.records.descent import descend, network_oracle
from leakjax.records.encode import Task
from leakjax.records.influence import LOSSES, Service, influence
from leakjax.records.influence_functions import (
    cross_entropy,
    influence_functions,
    layer,
    probability_loss,
)
from leakjax.records.release import Release
from leakjax.records.retrain import retrain
from leakjax.records.tracin import tracin


def linear_logits(theta: jax.Array, x: jax.Array) -> jax.Array:
    """The logit [1] of a logistic regression theta [features + 1] at one example x [features]."""
    return (x @ theta[:-1] + theta[-1])[None]


def network_logits(parameters: Mapping, x: jax.Array) -> jax.Array:
    """The logit [1] of a network with one hidden layer of tanh units."""
    hidden = jnp.tanh(x @ parameters["hidden"]["kernel"] + parameters["hidden"]["bias"])
    return hidden @ parameters["last"]["kernel"] + parameters["last"]["bias"]


def network_start(features: int, hidden: int, *, key: jax.Array) -> Mapping:
    """Random initial parameters of the network."""
    keys = jax.random.split(key)
    return {
        "hidden": {
            "kernel": jax.random.normal(keys[0], (features, hidden)) / np.sqrt(features),
            "bias": jnp.zeros(hidden),
        },
        "last": {"kernel": jax.random.normal(keys[1], (hidden, 1)) / np.sqrt(hidden), "bias": jnp.zeros(1)},
    }


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
        for loss, query_loss in zip(LOSSES, (probability_loss, cross_entropy), strict=True):
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
    hidden: int = 8,
    l2: float,
    steps: int = 2000,
    damping: float = 1.0,
    budget: int = 20_000,
    key: jax.Array,
) -> dict[str, Any]:
    """A small network and all its leave-one-out models: three approximations, and reconstruction by descent.

    Args:
        task: Where the points are from.
        rows: int [records], the training points.
        others: int [others], points for queries.
        hidden: Units of the network.
        l2: Penalty on the sum of losses.
        steps: Of its training.
        damping: Of the whole network's Hessian.
        budget: Queries of the attack and of the static batches beside it.
        key: For initialisation, queries and attack.

    Returns:
        Agreement by approximation, and distinct records against queries by attack.
    """
    with jax.enable_x64(True):
        x, y = jnp.asarray(task.x[rows]), jnp.asarray(task.y[rows])
        query = jnp.asarray(task.x[others[:100]]), jnp.asarray(task.y[others[:100]])
        loss, wanted = cross_entropy(network_logits), probability_loss(network_logits)
        start = network_start(x.shape[1], hidden, key=jax.random.fold_in(key, 0))
        models = retrain(loss, start, x, y, l2=l2, steps=steps, rate=0.3)
        losses = jax.vmap(wanted, in_axes=(None, 0, 0))
        exact = (
            jax.vmap(losses, in_axes=(0, None, None))(models.without, *query) - losses(models.full, *query)
        ).T
        last_logits, last = layer(network_logits, models.full, "last")
        whole = influence_functions(
            loss, models.full, (x, y), query, l2=l2, damping=damping, query_loss=wanted, steps=400
        )
        of_last = influence_functions(
            cross_entropy(last_logits),
            last,
            (x, y),
            query,
            l2=l2,
            query_loss=probability_loss(last_logits),
            solver="dense",
        )
        traced = tracin(loss, models.checkpoints, models.rates, (x, y), query, query_loss=wanted)
        result: dict[str, Any] = {
            "agreement": {
                "influence functions, whole network": agreement(whole.influence, exact)._asdict(),
                "influence functions, last layer": agreement(of_last.influence, exact)._asdict(),
                "TracIn": agreement(traced, exact)._asdict(),
            },
            "accuracy": float(((jax.vmap(network_logits, (None, 0))(models.full, x)[:, 0] > 0) == y).mean()),
            "records": len(rows),
            "l2": l2,
        }
        asked = network_oracle(
            network_logits,
            models.full,
            models.without,
            task.x[rows],
            Release(k=1),
            key=jax.random.fold_in(key, 1),
        )
        curves = {
            "descent": descend(asked, budget=budget, key=jax.random.fold_in(key, 2)).discovered.tolist()
        }
        for number, distribution in enumerate(DISTRIBUTIONS):
            batch = draw_queries(
                distribution,
                task.x[others],
                budget,
                key=jax.random.fold_in(key, 3 + number),
                blocks=task.blocks,
            )
            records = np.concatenate(
                [asked.ask(batch[low : low + 1000]).records for low in range(0, budget, 1000)]
            )
            curves[distribution] = distinct_revealed(records).tolist()
    result["discovered"] = curves
    return result
