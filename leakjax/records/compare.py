"""Approximate influence beside exact leave-one-out training, and the attack on a model that is not linear."""

from collections.abc import Mapping
from functools import partial
from typing import Any

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
from leakjax.records.baselines import distinct_revealed, static_batches
from leakjax.records.defenses import Target, compare_defenses
from leakjax.records.descent import descend, network_oracle
from leakjax.records.encode import Task
from leakjax.records.part import RecordPart

QUERY_LOSSES = dict(zip(LOSSES, (probability_loss, cross_entropy), strict=True))


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
    hidden: int = 8,
    l2: float,
    steps: int = 2000,
    budget: int = 20_000,
    k: int = 5,
    queries: int = 1000,
    loss: str = "probability",
    key: jax.Array,
) -> dict[str, Any]:
    """A small network and all its leave-one-out models: approximations, reconstruction and defenses.

    Args:
        task: Where the points are from.
        rows: int [records], the training points.
        others: int [others], points for queries.
        hidden: Units of the network.
        l2: Penalty on the sum of losses.
        steps: Of its training.
        budget: See attack_network.
        k: See attack_network.
        queries: See attack_network.
        loss: Whose change is the influence; see influence.
        key: For initialisation, queries and attack.

    Returns:
        The network's accuracy, agreement by approximation, and the results of attack_network.
    """
    with jax.enable_x64(True):
        x, y = jnp.asarray(task.x[rows]), jnp.asarray(task.y[rows])
        start = network_start(x.shape[1], hidden, key=jax.random.fold_in(key, 0))
        models = retrain(cross_entropy(network_logits), start, x, y, l2=l2, steps=steps, rate=0.3)
        query = jnp.asarray(task.x[others[:100]]), jnp.asarray(task.y[others[:100]])
        return {
            "records": len(rows),
            "l2": l2,
            "accuracy": float(((jax.vmap(network_logits, (None, 0))(models.full, x)[:, 0] > 0) == y).mean()),
            "agreement": approximate_network(models, (x, y), query, l2=l2, loss=loss),
            **attack_network(
                models, task, rows, others, budget=budget, k=k, queries=queries, loss=loss, key=key
            ),
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


def attack_network(
    models: Retrained,
    task: Task,
    rows: np.ndarray,
    others: np.ndarray,
    *,
    budget: int,
    k: int,
    queries: int,
    prototypes: int = 200,
    loss: str,
    key: jax.Array,
) -> dict[str, Any]:
    """Reconstruction from a network by descent and by static batches, and what defenses change.

    Args:
        models: Of network_logits.
        task: Where the points are from.
        rows: int [records], the training points.
        others: int [others], points for queries.
        budget: Queries of each attack on an oracle that shows one record.
        k: Records of an explanation, for the defenses.
        queries: Of each attack on a defense.
        prototypes: See compare_defenses.
        loss: Whose change is the influence; see influence.
        key: For the service and the attacks.

    Returns:
        Distinct records against queries by attack (discovered), and the rows of compare_defenses (defenses).
    """
    x = task.x[rows]
    service, attack = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
    offer = partial(network_oracle, network_logits, models.full, models.without, x, key=service, loss=loss)
    asked = offer(RecordPart(k=1))
    static = static_batches(asked, task.x[others], budget, key=attack, blocks=task.blocks)
    target = Target(offer, x, task.y[rows], task.x[others], task.y[others], task.blocks, loss, threshold=None)
    return {
        "discovered": {
            "descent": descend(asked, budget=budget, key=attack).discovered.tolist(),
            **{name: distinct_revealed(records).tolist() for name, records in static.items()},
        },
        "defenses": compare_defenses(target, k=k, queries=queries, prototypes=prototypes, key=attack),
    }
