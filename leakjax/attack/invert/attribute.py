"""Attribute inference: what was the one field of a record that the attacker does not know?

A sweep puts the record to the service with every value of the field, and sees which answer is the released one.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, all fields of its subject but one, and the values that this one can have"


class Inferred(NamedTuple):
    """What was inferred.

    Attributes:
      value: of each view of `reidentify.VIEWS`, int [targets]: the most likely value; ties go to the commonest.
      told: of each view, bool [targets]: whether the answers to the values differed at all.
      note: what kept the attack from going on, "" if nothing did.
    """

    value: dict[str, np.ndarray]
    told: dict[str, np.ndarray]
    note: str


def infer_attribute(
    oracle: Oracle[Answer],
    released: Answer,
    known: np.ndarray,
    values: np.ndarray,
    columns: np.ndarray,
    prior: np.ndarray,
    *,
    withheld: bool,
) -> Inferred:
    """Infers one field of every target.

    Args:
      oracle: of the same service and release.
      released: the answers [targets] about the whole records.
      known: [targets, features], the records; what stands in `columns` is not looked at.
      values: [values, columns], how each value of the field is encoded.
      columns: int [columns], the features that the field is encoded by.
      prior: [values], how common each value is.
      withheld: whether the service leaves the field's own attribution out of its maps.

    Returns:
      `Inferred`.

    Raises:
      UsageError: fewer than two values.
    """
    if len(values) < 2:
        raise fail("values", len(values), "must be at least 2, or there is nothing to infer")
    count = len(known)
    swept = np.repeat(np.asarray(known, np.float32)[:, None], len(values), axis=1)
    swept[:, :, columns] = values[None]
    answer = oracle.ask(swept.reshape(count * len(values), -1), account=1)
    kept = np.ones(known.shape[1], bool)
    kept[columns] = not withheld
    distance: dict[str, list[np.ndarray]] = {}
    for target in range(count):
        rows = slice(target * len(values), (target + 1) * len(values))
        own = _rows(released, slice(target, target + 1), kept)
        for view, found in _distances(own, _rows(answer, rows, kept)).items():
            distance.setdefault(view, []).append(found)
    likely, told = {}, {}
    for view, parts in distance.items():
        stacked = np.stack(parts)
        nearest = stacked <= stacked.min(axis=1, keepdims=True) + 1e-9
        likely[view] = np.where(nearest, prior, -1.0).argmax(axis=1)
        told[view] = ~nearest.all(axis=1)
    note = "" if answer.answered.all() else f"{np.sum(~answer.answered)} queries were not answered"
    return Inferred(likely, told, note)


def _rows(answer: Answer, rows: slice, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The prediction and the shown part of the maps of some queries, [queries, numbers] each."""
    maps = [
        np.asarray(each)[rows].reshape(len(answer.action[rows]), -1)[:, kept] for each in answer.explanations
    ]
    return answer.vector[rows], np.concatenate([np.zeros((len(answer.action[rows]), 0)), *maps], axis=1)


def _distances(
    own: tuple[np.ndarray, np.ndarray], swept: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """[values] of each view; what was not answered is infinitely far."""
    parts = []
    for one, others in zip(own, swept, strict=True):
        scale = np.abs(others[np.isfinite(others)]).max(initial=0.0) or 1.0
        far = np.sqrt((((others - one) / scale) ** 2).sum(axis=1))
        parts.append(np.nan_to_num(np.where(far < 1e-6, 0.0, far), nan=np.inf))
    prediction, explanation = parts
    return {"prediction": prediction, "explanation": explanation, "both": prediction + explanation}
