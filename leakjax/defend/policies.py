"""Defenses that are not transforms of one map: whose output is explained, by which model, and for which queries.

Each is a pure function of arrays, for a service or a study to put where it decides what a release holds.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from leakjax import _validate

EXPLAINED_CLASSES = ("predicted", "true", "asked", "reference")


def explained_class(
    policy: str,
    *,
    logits: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    asked: np.ndarray | None = None,
    reference: np.ndarray | None = None,
) -> np.ndarray:
    """Whose output is explained: the cheapest defense, since a map of the predicted class names that class.

    Args:
      policy: "predicted" by the model itself; the "true" label; "asked" for by the query; "reference": the vote of
        models that are not the target. All but the first are fixed by the query alone.
      logits: [..., points, classes], of the model, for "predicted".
      labels: int [points], for "true".
      asked: int [points], for "asked".
      reference: [models, points, classes], logits of reference models, for "reference".

    Returns:
      int [points], or [..., points] for "predicted". Of a tied vote the class of the largest mean logit.

    Raises:
      UsageError: on another policy, or where what it needs is missing.
    """
    _validate.one_of("explained_class", policy, EXPLAINED_CLASSES)
    needed = {"predicted": logits, "true": labels, "asked": asked, "reference": reference}[policy]
    if needed is None:
        name = {"predicted": "logits", "true": "labels"}.get(policy, policy)
        raise _validate.fail(name, None, f"is needed to explain the {policy} class")
    needed = np.asarray(needed)
    if policy == "predicted":
        return needed.argmax(axis=-1)
    if policy != "reference":
        return needed
    votes = (needed.argmax(axis=-1)[..., None] == np.arange(needed.shape[-1])).sum(axis=0)
    mean = needed.mean(axis=0)
    return np.where(votes == votes.max(axis=-1, keepdims=True), mean, -np.inf).argmax(axis=-1)


def folds_of(x: Any, folds: int, *, secret: bytes) -> np.ndarray:
    """The fold of each query, by a keyed hash of its values alone: the same whether or not it was trained on.

    Args:
      x: [queries, ...]; float32 values decide, and -0.0 counts as 0.0.
      folds: K, at least 2.
      secret: at least 16 random bytes; whoever has it can choose queries of a fold.

    Returns:
      int [queries], 0..K-1.

    Raises:
      UsageError: fewer than two folds, or a short secret.
    """
    _validate.at_least("folds", folds, 2)
    if len(secret) < 16:
        raise _validate.fail("secret", "...", "must be at least 16 random bytes")
    key = hashlib.blake2b(secret).digest()
    rows = np.ascontiguousarray(np.asarray(x, "<f4") + np.float32(0))
    digests = [hashlib.blake2b(row.tobytes(), key=key, digest_size=16).digest() for row in rows]
    return np.array([int.from_bytes(digest, "little") % folds for digest in digests])


def fold_membership(fold: np.ndarray, folds: int) -> np.ndarray:
    """Who trains on what: sub-model k on every point but those of fold k.

    Args:
      fold: int [points], of `folds_of`.
      folds: K.

    Returns:
      bool [K, points].
    """
    return np.arange(folds)[:, None] != fold


def out_of_fold(answers: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Each query's answer by the sub-model that did not see its fold.

    At the exact query the answer does not depend on whether the point was trained on, if preprocessing, steps and
    stopping never used it and no near-duplicate is in another fold (count them by `near_duplicates`). It does not
    cover the prediction of a full model shown beside it, nor a perturbed query, which goes to another sub-model.

    Args:
      answers: [K, queries, ...], of every sub-model: attributions, or logits (the explained class must come from
        them too, or be fixed by the query).
      fold: int [queries].

    Returns:
      [queries, ...]. As targets of a *student* that is distilled from them: SELENA (arXiv 2110.08324).
    """
    return np.asarray(answers)[fold, np.arange(len(fold))]


def near_duplicates(x: Any, fold: np.ndarray, *, radius: float) -> int:
    """Points with another within a radius in another fold: their out-of-fold answers may depend on it.

    Args:
      x: [points, ...].
      fold: int [points].
      radius: L2 distance, in the unit of x, at least 0.

    Returns:
      How many points.
    """
    _validate.at_least("radius", radius, 0)
    rows = np.asarray(x, np.float64).reshape(len(fold), -1)
    squared = (rows**2).sum(axis=1)
    found = 0
    for start in range(0, len(rows), 1024):
        part = slice(start, start + 1024)
        distance = squared[part, None] + squared - 2 * rows[part] @ rows.T
        # The expansion cancels: a slack of its rounding, so that exact duplicates count.
        near = distance <= radius**2 + 1e-12 * (squared[part, None] + squared)
        found += int((near & (fold[part, None] != fold)).any(axis=1).sum())
    return found


class Withheld(NamedTuple):
    """Which queries get no explanation.

    Attributes:
      withheld: bool [queries].
      by_group: share of each group's queries that is withheld, in the order of the groups' numbers; the cost falls on
        hard records, often a minority's.
    """

    withheld: np.ndarray
    by_group: np.ndarray


def selective(
    reference: np.ndarray, *, share: float, group: np.ndarray | None = None, among: np.ndarray | None = None
) -> Withheld:
    """Withholds explanations where reference models are unsure, which is where members stand out.

    Args:
      reference: [models, queries, classes], logits of models that are not the target.
      share: of queries that are withheld, 0..1.
      group: int [queries], from 0; None: one group.
      among: [models, points, classes], logits on which the threshold is set; None: on the queries themselves.

    Returns:
      `Withheld`: the queries whose mean largest probability is below that quantile.

    Raises:
      UsageError: the share is outside 0..1.
    """
    if not 0 <= share <= 1:
        raise _validate.fail("share", share, "must be between 0 and 1")
    sure = _certainty(reference)
    threshold = np.quantile(sure if among is None else _certainty(among), share, method="lower")
    withheld = sure < threshold if share < 1 else np.ones(len(sure), bool)
    group = np.zeros(len(sure), int) if group is None else np.asarray(group)
    counts = np.bincount(group)
    return Withheld(withheld, np.bincount(group, weights=withheld) / np.maximum(counts, 1))


def _certainty(logits: np.ndarray) -> np.ndarray:
    """Mean over models of the largest probability, [queries]."""
    logits = np.asarray(logits, np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (1 / weights.sum(axis=-1)).mean(axis=0)
