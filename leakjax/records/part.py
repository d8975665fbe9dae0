"""The explanation that a service releases: its most influential records, through whatever defends them.

A `RecordPart` says what is let out, and `explain` is a pure function of one batch of influences. No knob of it
carries an epsilon: a record that is not in the training set cannot be shown, so every answer with a private record
has a delta of at least the probability of showing it. See prototypes.py for the one answer that has an epsilon.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import at_least, fail, one_of, positive
from leakjax.influence.exact import top_k

VALUES = ("signed", "magnitude", "none")


class RecordPart(NamedTuple):
    """The part of an answer that names records: what is released, in the order in which it applies.

    Attributes:
      k: How many records.
      exclude_self: Leave out records that equal the query.
      noise: Scale of Laplace noise on |influence| before the selection (0: none). The noise is a function
        of the key and the query, so that asking again averages nothing away.
      clip: Bound on the released influence values, None for none.
      digits: Significant digits of the released influence values and predictions, None for all.
      float32: Whether values and predictions are released in float32.
      values: "signed", "magnitude" (|influence|) or "none" (records alone).
    """

    k: int = 5
    exclude_self: bool = False
    noise: float = 0.0
    clip: float | None = None
    digits: int | None = None
    float32: bool = False
    values: str = "signed"


class Explanation(NamedTuple):
    """The released records of each query.

    Attributes:
      records: int [queries, k], most influential first; -1 where a refusal or a self-exclusion left too
        few.
      values: [queries, k], their influence, or None when values are not released.
    """

    records: np.ndarray
    values: np.ndarray | None


def check_part(released: RecordPart, records: int) -> None:
    """Raises UsageError unless this many records can be released as asked."""
    if not 1 <= released.k <= records:
        raise fail("k", released.k, f"must be between 1 and {records}, the number of records")
    one_of("values", released.values, VALUES)
    at_least("noise", released.noise, 0)
    if released.clip is not None:
        positive("clip", released.clip)
    if released.digits is not None:
        at_least("digits", released.digits, 1)


def explain(
    influence: np.ndarray, x: np.ndarray, records: np.ndarray, released: RecordPart, *, key: jax.Array
) -> Explanation:
    """The k records of largest |influence| for each query, through the defenses of what is released.

    Args:
      influence: [queries, records], signed.
      x: [queries, features], the queries.
      records: [records, features], in lexicographic order (ties go to the first).
      released: What the answer may hold.
      key: Of the service; folded with each query's content. Used by noisy selection alone.

    Returns:
      The explanation of each query.

    Raises:
      UsageError: k larger than the number of records, or a knob out of range.

    Source: Shokri, Strobel and Zick, section 3.2.
    """
    check_part(released, influence.shape[1])
    score = np.abs(influence)
    if released.noise:
        score = score + released.noise * laplace(key, x, score.shape[1])
    if released.exclude_self:
        score = np.where(equal_rows(x, records), -np.inf, score)
    chosen = top_k(score, released.k)
    excluded = np.isneginf(np.take_along_axis(score, chosen, axis=1))
    values = round_values(np.take_along_axis(influence, chosen, axis=1), released)
    if released.values == "magnitude":
        values = np.abs(values)
    chosen, values = np.where(excluded, -1, chosen), np.where(excluded, 0, values)
    return Explanation(chosen, None if released.values == "none" else values)


def round_values(values: np.ndarray, released: RecordPart) -> np.ndarray:
    """The values clipped, rounded to significant digits and cast, as `released` says."""
    if released.clip is not None:
        values = values.clip(-released.clip, released.clip)
    return round_digits(values, released)


def round_digits(values: np.ndarray, released: RecordPart) -> np.ndarray:
    """The values rounded to the released significant digits and cast to the released precision."""
    if released.digits is not None:
        exponent = np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
        unit = 10.0 ** (exponent - released.digits + 1)
        values = np.round(values / unit) * unit
    return values.astype(np.float32) if released.float32 else values


def laplace(key: jax.Array, queries: np.ndarray, size: int) -> np.ndarray:
    """Standard Laplace noise [queries, size], a function of the key and each query's content alone."""
    return np.stack([generator.laplace(size=size) for generator in _generators(key, queries)])


def gumbel(key: jax.Array, queries: np.ndarray, size: int) -> np.ndarray:
    """Standard Gumbel noise [queries, size], a function of the key and each query's content alone."""
    return np.stack([generator.gumbel(size=size) for generator in _generators(key, queries)])


def _generators(key: jax.Array, queries: np.ndarray) -> Iterator[np.random.Generator]:
    secret = np.asarray(jax.random.key_data(key)).tobytes()
    for content in np.ascontiguousarray(queries, np.float64) + 0.0:  # -0.0 and 0.0 are one query
        digest = hashlib.sha256(secret + content.tobytes()).digest()
        yield np.random.default_rng(np.frombuffer(digest, np.uint32))


def equal_rows(x: np.ndarray, records: np.ndarray) -> np.ndarray:
    """Which records equal which query in every feature: bool [queries, records]."""
    _, label = np.unique(np.concatenate([x, records]), axis=0, return_inverse=True)
    label = label.ravel()
    return label[: len(x), None] == label[None, len(x) :]
