"""Reconstruction from any model: descend the influence of what is known until something new is shown.

The paper proposes this for models that are not linear and leaves it open. The attacker asks around a query,
estimates the slope of the leading influence from the answers alone, and moves where the known record loses
its influence.
"""

from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import UsageError, positive
from leakjax.records.oracle import RecordOracle


class Descent(NamedTuple):
    """What the attack found.

    Attributes:
      records: int [found], in the order of their discovery.
      discovered: int [queries], how many distinct records were known after each query.
    """

    records: np.ndarray
    discovered: np.ndarray


def descend(
    oracle: RecordOracle,
    *,
    budget: int,
    key: jax.Array,
    scale: float = 30.0,
    reach: float = 0.3,
    patience: int = 3,
) -> Descent:
    """Searches for new records by descending the influence of known ones, with queries alone.

    Args:
      oracle: Answers queries with records and their influence.
      budget: The most queries.
      key: For starts and directions.
      scale: Standard deviation of each feature of a start. Far from the data few records lead everywhere;
        with more queries than a static batch can use, the steps lead past them.
      reach: Length of a step, and of the offsets that estimate the slope, over the norm of the start.
      patience: Steps from one start without a new record before the next start.

    Returns:
      The records and the pace of their discovery.

    Raises:
      UsageError: An oracle that releases no influence values; an argument out of range.

    Source: Shokri, Strobel and Zick, section 7 (minimising the influence of discovered points by gradient
    descent).
    """
    positive("budget", budget)
    positive("scale", scale)
    positive("reach", reach)
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
        return np.where(answer.answered, np.abs(answer.values[:, 0]), 0.0)  # nothing leads where none is told

    while len(discovered) < budget:
        query, idle = scale * rng.standard_normal(oracle.features), 0
        length = reach * np.linalg.norm(query)
        while idle < patience and len(discovered) < budget:
            before = len(known)
            # One random direction a step: two queries, and each of them may already show something new.
            direction = rng.standard_normal(oracle.features)
            direction *= length / np.linalg.norm(direction)
            ahead, behind = ask(query + np.stack([direction, -direction]))
            query = query + np.sign(behind - ahead) * direction
            idle = 0 if len(known) > before else idle + 1
    return Descent(np.array(list(known), int), np.array(discovered[:budget], int))
