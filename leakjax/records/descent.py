"""Reconstruction of the records of any model: descend the influence of what is known until something new is shown.

The paper proposes this for models that are not linear and leaves it open. The attacker asks around a query, estimates
the slope of the leading influence from the answers alone, and moves where the known record loses its influence.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import UsageError, positive
from leakjax.records.oracle import Answer, Oracle
from leakjax.records.release import Release, check_release, explain, round_digits


class Descent(NamedTuple):
    """What the attack found.

    Attributes:
        records: int [found], in the order of their discovery.
        discovered: int [queries], how many distinct records were known after each query.
    """

    records: np.ndarray
    discovered: np.ndarray


def network_oracle(
    logits_fn: Callable, full: Any, without: Any, x: np.ndarray, release: Release, *, key: jax.Array
) -> Oracle:
    """An oracle over a network with two classes and its leave-one-out models; queries take label 0.

    Args:
        logits_fn: logits_fn(parameters, x of one example) -> logits [2], or [1] of label 1.
        full: Parameters of the full model.
        without: Parameters of the leave-one-out models, leaves [records, ...].
        x: [records, features], what they were trained on.
        release: What an explanation releases.
        key: Of the service, for noisy selection.
    """
    check_release(release, len(x))

    def probability(parameters: Any, query: jax.Array) -> jax.Array:
        logits = logits_fn(parameters, query)
        return jax.nn.sigmoid(logits[-1] - (logits[0] if logits.shape == (2,) else 0))

    models = jax.vmap(probability, in_axes=(0, None))
    both = jax.jit(jax.vmap(lambda query: (probability(full, query), models(without, query))))

    def answers(queries: np.ndarray) -> Answer:
        prediction, others = (np.asarray(part, np.float64) for part in both(jnp.asarray(queries)))
        explanation = explain(others - prediction[:, None], queries, x, release, key=key)
        return Answer(round_digits(prediction, release).astype(np.float64), *explanation)

    return Oracle(answers, x.shape[1])


def descend(
    oracle: Oracle,
    starts: np.ndarray,
    *,
    budget: int,
    key: jax.Array,
    directions: int = 16,
    smoothing: float = 0.05,
    rate: float = 0.3,
    patience: int = 20,
) -> Descent:
    """Searches for new records by descending the influence of known ones, with queries alone.

    Args:
        oracle: Answers queries with records and their influence.
        starts: [starts, features], where to begin, one after the other, round and round.
        budget: The most queries.
        key: For the directions.
        directions: Queries per estimate of a slope.
        smoothing: How far they lie from the query.
        rate: The length of a step.
        patience: Steps from one start without a new record before the next start.

    Returns:
        The records and the pace of their discovery.

    Source: Shokri, Strobel and Zick, section 7 (minimising the influence of discovered points by gradient descent).
    """
    positive("budget", budget)
    positive("smoothing", smoothing)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    known: dict[int, None] = {}
    discovered: list[int] = []

    def ask(queries: np.ndarray) -> np.ndarray:
        """Asks, notes what is new, and returns the leading |influence| [queries]."""
        answer = oracle.ask(queries)
        if answer.values is None:
            raise UsageError("oracle: releases no influence values, which this attack needs")
        for row in answer.records:
            known.update(dict.fromkeys(row[row >= 0].tolist()))
            discovered.append(len(known))
        return np.abs(answer.values[:, 0])

    turn = 0
    while len(discovered) < budget:
        query, idle = starts[turn % len(starts)].astype(np.float64), 0
        turn += 1
        while idle < patience and len(discovered) < budget:
            before = len(known)
            around = rng.standard_normal((directions, oracle.features))
            around *= smoothing / np.linalg.norm(around, axis=1, keepdims=True)
            # One batch shape for all: the network behind the oracle is compiled once.
            values = ask(query + np.concatenate([around, -around]))
            slope = (values[:directions] - values[directions:]) @ around
            query = query - rate * slope / max(np.linalg.norm(slope), 1e-300)
            idle = 0 if len(known) > before else idle + 1
    return Descent(np.array(list(known), int), np.array(discovered[:budget], int))
