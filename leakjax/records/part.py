"""The explanation that a service releases: its most influential records, through whatever defends them.

A `RecordPart` is a set of knobs and `release` a pure function of one batch of influences. None of them carries
an epsilon: a record that is not in the training set cannot be released, so every release of a private record
has a delta of at least its release probability. See prototypes.py for the one answer that does carry one.
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
    """What is released of an explanation, in the order in which it applies.

    Attributes:
        k: How many records.
        exclude_self: Leave out records that equal the query.
        noise: Scale of Laplace noise on |influence| before the selection (0: none). The noise is a function
            of the key and the query, so that asking again averages nothing away.
        clip: Bound on the released influence values, None for none.
        digits: Significant digits of the released influence values and predictions, None for all.
        float32: RecordPart values and predictions in float32.
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


def check_part(release: RecordPart, records: int) -> None:
    """Raises UsageError unless the release is possible with this number of records."""
    if not 1 <= release.k <= records:
        raise fail("k", release.k, f"must be between 1 and {records}, the number of records")
    one_of("values", release.values, VALUES)
    at_least("noise", release.noise, 0)
    if release.clip is not None:
        positive("clip", release.clip)
    if release.digits is not None:
        at_least("digits", release.digits, 1)


def explain(
    influence: np.ndarray, x: np.ndarray, records: np.ndarray, release: RecordPart, *, key: jax.Array
) -> Explanation:
    """The k records of largest |influence| for each query, through the release's defenses.

    Args:
        influence: [queries, records], signed.
        x: [queries, features], the queries.
        records: [records, features], in lexicographic order (ties go to the first).
        release: What to release.
        key: Of the service; folded with each query's content. Used by noisy selection alone.

    Returns:
        The explanation of each query.

    Raises:
        UsageError: k larger than the number of records, or a knob out of range.

    Source: Shokri, Strobel and Zick, section 3.2.
    """
    check_part(release, influence.shape[1])
    score = np.abs(influence)
    if release.noise:
        score = score + release.noise * laplace(key, x, score.shape[1])
    if release.exclude_self:
        score = np.where(equal_rows(x, records), -np.inf, score)
    chosen = top_k(score, release.k)
    excluded = np.isneginf(np.take_along_axis(score, chosen, axis=1))
    values = round_values(np.take_along_axis(influence, chosen, axis=1), release)
    if release.values == "magnitude":
        values = np.abs(values)
    chosen, values = np.where(excluded, -1, chosen), np.where(excluded, 0, values)
    return Explanation(chosen, None if release.values == "none" else values)


def round_values(values: np.ndarray, release: RecordPart) -> np.ndarray:
    """The values clipped, rounded to significant digits and cast, as the release says."""
    if release.clip is not None:
        values = values.clip(-release.clip, release.clip)
    return round_digits(values, release)


def round_digits(values: np.ndarray, release: RecordPart) -> np.ndarray:
    """The values rounded to the release's significant digits and cast to its precision."""
    if release.digits is not None:
        exponent = np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
        unit = 10.0 ** (exponent - release.digits + 1)
        values = np.round(values / unit) * unit
    return values.astype(np.float32) if release.float32 else values


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
