"""What a service that names training records says to a batch of queries."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from leakjax.oracle import ANSWERED, REFUSED


class Answer(NamedTuple):
    """The service's answer to a batch of queries.

    Attributes:
      prediction: [queries], the probability of label 1; NaN where the query was refused.
      records: int [queries, k], handles of the released records; -1 for none.
      values: [queries, k], their influence, NaN where it is withheld; None when the service keeps it, or to queries
        for predictions alone, which are told no records.
      action: str [queries], of `oracle.ACTIONS`.
    """

    prediction: np.ndarray
    records: np.ndarray
    values: np.ndarray | None
    action: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        """bool [queries], which were not refused."""
        return self.action != REFUSED


def answer_of(prediction: np.ndarray, records: np.ndarray, values: np.ndarray | None) -> Answer:
    """The full answer to a batch, as the parts of `Answer` say it."""
    return Answer(prediction, records, values, np.full(len(prediction), ANSWERED, dtype="<U9"))


def joined(parts: Sequence[Answer]) -> Answer:
    """The answers to several batches as that to one."""
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def coarsened(answer: Answer, rows: np.ndarray) -> Answer:
    """Answers in which some queries are told the likelier label, as a prediction of 0 or 1, and one record alone."""
    prediction, records = np.array(answer.prediction), np.array(answer.records)
    prediction[rows] = prediction[rows] > 0.5
    records[rows, 1:] = -1
    values = None if answer.values is None else np.where(rows[:, None], np.nan, answer.values)
    return answer._replace(prediction=prediction, records=records, values=values)
