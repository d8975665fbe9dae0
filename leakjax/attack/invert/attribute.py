"""Attribute inference: what was the one field of a record that the attacker does not know?

A sweep puts the record to the service with every value of the field, and sees which answer is the released one.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.attack.invert.reidentify import weighed
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, all fields of its subject but one, and the values that this one can have"


class Inferred(NamedTuple):
    """What was inferred.

    Attributes:
      value: of each view of `reidentify.VIEWS`, int [targets]: the most likely value, by its prior too where answers
        are noisy; ties go to the commonest.
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
    repeats: int = 1,
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
      repeats: how often each value is asked about, for services whose maps are noisy: their means are compared.

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
    answers = [oracle.ask(swept.reshape(count * len(values), -1), account=1) for _ in range(repeats)]
    kept = np.ones(known.shape[1], bool)
    kept[columns] = not withheld
    costs: dict[str, list[np.ndarray]] = {}
    for target in range(count):
        rows = slice(target * len(values), (target + 1) * len(values))
        own = _rows(released, slice(target, target + 1), kept)
        for view, found in _costs(own, [_rows(each, rows, kept) for each in answers]).items():
            costs.setdefault(view, []).append(found)
    likely: dict[str, np.ndarray] = {}
    told: dict[str, np.ndarray] = {}
    log_prior = np.log(np.maximum(prior, 1e-12))
    for view, parts in costs.items():
        stacked = np.stack(parts)
        least = stacked.min(axis=1, keepdims=True)
        above = np.where(stacked == least, 0.0, stacked - np.where(np.isfinite(least), least, 0.0))
        likely[view] = (above - log_prior).argmin(axis=1)
        told[view] = np.asarray((above > 1e-9).any(axis=1))
    refused = sum(int((~each.answered).sum()) for each in answers)
    note = f"{refused} queries were not answered" if refused else ""
    return Inferred(likely, told, note)


def _rows(answer: Answer, rows: slice, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The prediction and the shown part of the maps of some queries, [queries, numbers] each."""
    maps = [
        np.asarray(each)[rows].reshape(len(answer.action[rows]), -1)[:, kept] for each in answer.explanations
    ]
    return answer.vector[rows], np.concatenate([np.zeros((len(answer.action[rows]), 0)), *maps], axis=1)


def _costs(
    own: tuple[np.ndarray, np.ndarray], swept: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """[values] of each view: minus the log-likelihood of the released answer if that were the value.

    Args:
      own: prediction and maps of the released answer, [1, numbers] each.
      swept: the same of the answers to all values, [values, numbers], once or several times.
    """
    parts = []
    for one, asked in zip(own, zip(*swept, strict=True), strict=True):
        mean = np.mean(asked, axis=0)
        scale = np.abs(mean[np.isfinite(mean)]).max(initial=0.0) or 1.0
        far, twice = _far(mean, one, scale), _far(asked[0], asked[-1], scale)
        # Two answers to one question are apart by the noise of both.
        noise = np.mean(twice[np.isfinite(twice)] ** 2) / 2 if len(asked) > 1 else 0.0
        if noise > 0:
            kept, left = _shrunk(mean / scale, noise / len(asked))
            parts.append(one.shape[1] * _far(kept, one / scale, 1.0) ** 2 / (2 * (noise + left)))
        else:
            parts.append(weighed(far, np.zeros(1)))
    prediction, explanation = parts
    return {"prediction": prediction, "explanation": explanation, "both": prediction + explanation}


def _shrunk(mean: np.ndarray, noise: float) -> tuple[np.ndarray, float]:
    """Noisy maps [values, numbers] towards what they have in common, and how far each is from its true one, squared.

    Most of what they differ by may be noise, of a squared norm `noise` each; what is above it they keep (James, Stein).
    """
    common = mean.mean(axis=0)
    spread = float(np.mean(np.sum((mean - common) ** 2, axis=1))) * len(mean) / (len(mean) - 1)
    share = max(0.0, 1 - noise / max(spread, 1e-30))
    return common + share * (mean - common), share * noise


def _far(one: np.ndarray, other: np.ndarray, scale: float) -> np.ndarray:
    """Distances of rows; a row that was withheld is as every other that was, and far from all else."""
    far = np.sqrt((((one - other) / scale) ** 2).sum(axis=1))
    left, right = (np.isnan(each).any(axis=1) for each in (one, other))
    return np.where(left & right, 0.0, np.where(left ^ right, np.inf, np.where(far < 1e-6, 0.0, far)))
