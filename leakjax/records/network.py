"""A model that is not linear: a small network, its oracle, and every attack and defense on it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from leakjax._validate import one_of
from leakjax.influence.exact import LOSSES, loss_change
from leakjax.influence.retrain import Retrained
from leakjax.records.answer import Answer, answer_of
from leakjax.records.baselines import distinct_revealed, static_batches
from leakjax.records.defenses import Target, compare_defenses
from leakjax.records.descent import descend
from leakjax.records.encode import Task
from leakjax.records.oracle import RecordOracle, in_chunks
from leakjax.records.part import RecordPart, check_part, explain, round_digits


class Effort(NamedTuple):
    """How much an attacker of a network does, and what it is shown.

    Attributes:
      k: Records of an explanation, for the defenses.
      queries: Of each attack on a defense.
      budget: Queries of each attack on an oracle that shows one record.
      prototypes: How many points are public; see compare_defenses.
    """

    k: int = 5
    queries: int = 1000
    budget: int = 20_000
    prototypes: int = 200


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


def network_oracle(
    logits_fn: Callable,
    full: Any,
    without: Any,
    x: np.ndarray,
    released: RecordPart,
    *,
    key: jax.Array,
    loss: str = "probability",
) -> RecordOracle:
    """An oracle over a network with two classes and its leave-one-out models.

    Args:
      logits_fn: logits_fn(parameters, x of one example) -> logits [2], or [1] of label 1.
      full: Parameters of the full model.
      without: Parameters of the leave-one-out models, leaves [records, ...].
      x: [records, features], what they were trained on.
      released: What an explanation releases.
      key: Of the service, for noisy selection.
      loss: Whose change is the influence; see influence.
    """
    check_part(released, len(x))
    one_of("loss", loss, LOSSES)

    def answer(queries: np.ndarray, labels: np.ndarray) -> Answer:
        logits = _logits(logits_fn, full, without, jnp.asarray(queries))
        mine, others = (np.asarray(part, np.float64) for part in logits)
        explanation = explain(loss_change(mine, others, labels, loss), queries, x, released, key=key)
        return answer_of(round_digits(expit(mine), released).astype(np.float64), *explanation)

    return RecordOracle(in_chunks(answer), x.shape[1], written=False)


@partial(jax.jit, static_argnames="logits_fn")
def _logits(logits_fn: Callable, full: Any, without: Any, queries: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The logit of label 1 under the full model [queries] and the others [queries, records]."""

    def one(parameters: Any, query: jax.Array) -> jax.Array:
        logits = logits_fn(parameters, query)
        return logits[-1] - (logits[0] if logits.shape == (2,) else 0)

    models = jax.vmap(one, in_axes=(0, None))
    return jax.vmap(lambda query: (one(full, query), models(without, query)))(queries)


def attack_network(
    models: Retrained,
    task: Task,
    rows: np.ndarray,
    others: np.ndarray,
    *,
    effort: Effort,
    loss: str,
    key: jax.Array,
) -> dict[str, Any]:
    """Reconstruction from a network by descent and by static batches, and what defenses change.

    Args:
      models: Of network_logits.
      task: Where the points are from.
      rows: int [records], the training records.
      others: int [others], points for queries.
      effort: Of the attacks.
      loss: Whose change is the influence; see influence.
      key: For the service and the attacks.

    Returns:
      Distinct records against queries by attack (discovered), and the rows of compare_defenses (defenses).
    """
    x, (k, queries, budget, prototypes) = task.x[rows], effort
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
