"""Labelled points: what every data set becomes."""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from leakjax._validate import UsageError


class Points(NamedTuple):
    """Labelled points in the order of their source.

    Attributes:
      x: float32 [points, ...]; images are [points, height, width, channels].
      y: int32 [points], 0..classes-1.
      classes: how many classes the source has.
      name: of the data set, as `load` takes it.
      ids: int32 [points], the row of each point in its source, counted before duplicates went: keys are
        folded with it, so that a point keeps its randomness when others come or go.
      duplicates: how many exact duplicates (equal features) were removed.
      groups: name of a group column -> str [points], for leakage by group.
      feature_names: of the features of one point, flattened; empty where they have none.
      columns: the source column of each of these features: the features of one column, such as the indicators of
        a category, are hidden together by methods that mask; empty where each stands for itself.
      notes: what the owner should know about how points were made of the source, one sentence each.
    """

    x: np.ndarray
    y: np.ndarray
    classes: int
    name: str
    ids: np.ndarray
    duplicates: int = 0
    groups: Mapping[str, np.ndarray] = MappingProxyType({})
    feature_names: Sequence[str] = ()
    columns: Sequence[str] = ()
    notes: Sequence[str] = ()


def in_order(
    x: np.ndarray,
    y: np.ndarray,
    *,
    classes: int,
    name: str,
    groups: Mapping[str, np.ndarray] | None = None,
    feature_names: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Points:
    """Validated points whose ids are their rows.

    Args:
      x: [points, ...], images as bytes or features as float32.
      y: int [points], 0..classes-1.
      classes: how many classes there are.
      name: of the data set.
      groups: name -> str [points].
      feature_names: of the features of one point, flattened; they label the figures.
      columns: the source column of each feature, where several features come from one.

    Returns:
      The points, x as it is and y int32.

    Raises:
      UsageError: as `validate`.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0:
        raise UsageError(f"{name}: x has shape (), must be [points, ...]")
    ids = np.arange(len(x), dtype=np.int32)
    points = validate(
        Points(x, y, classes, name, ids, groups=groups or {}, feature_names=feature_names, columns=columns)
    )
    return points._replace(y=y.astype(np.int32, copy=False))


def take(points: Points, rows: np.ndarray) -> Points:
    """The points at `rows` (int or bool index [points kept]); ids and groups follow."""
    groups = {name: column[rows] for name, column in points.groups.items()}
    return points._replace(x=points.x[rows], y=points.y[rows], ids=points.ids[rows], groups=groups)


def evenly_spaced(count: int, points: int) -> np.ndarray:
    """Rows of `count` among `points` points, evenly spaced from the first: int [count].

    Points may be sorted by class or time, so that the first ones are not like the rest, and a draw would need a key.
    """
    return np.arange(count) * points // count


def validate(points: Points) -> Points:
    """Checks that `points` can be trained on and audited.

    Args:
      points: the points, features in any real dtype.

    Returns:
      `points`, unchanged.

    Raises:
      UsageError: no points, lengths that differ, names or columns of some features alone, fewer than two classes,
        NaN or infinite features, labels that are not integers in 0..classes-1.
    """
    name, x, y = points.name, points.x, points.y
    if len(x) == 0 or x.ndim < 2 or x[0].size == 0:
        raise UsageError(
            f"{name}: x has shape {x.shape}, must be [points, ...] with at least one point and feature"
        )
    if x.dtype.kind not in "biuf":
        raise UsageError(f"{name}: features have dtype {x.dtype}, must be real numbers")
    columns = {"y": y, "ids": points.ids} | {
        f"group {key!r}": column for key, column in points.groups.items()
    }
    for key, column in columns.items():
        if column.shape != (len(x),):
            raise UsageError(
                f"{name}: {key} has shape {column.shape}, must be ({len(x)},), one value a point"
            )
    for what, listed in (("feature names", points.feature_names), ("columns", points.columns)):
        if len(listed) not in (0, x[0].size):
            raise UsageError(f"{name}: has {len(listed)} {what}, must have {x[0].size}, or none")
    if points.classes < 2:
        raise UsageError(f"{name}: has {points.classes} class, must have at least 2")
    if y.dtype.kind not in "iu":
        raise UsageError(f"{name}: labels have dtype {y.dtype}, must be integers 0..{points.classes - 1}")
    wrong = np.flatnonzero((y < 0) | (y >= points.classes))
    if wrong.size:
        raise UsageError(
            f"{name}: label {y[wrong[0]]} of row {points.ids[wrong[0]]} ({wrong.size} such) is not in "
            f"0..{points.classes - 1}"
        )
    if x.dtype.kind == "f":
        finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
        if not finite.all():
            row = points.ids[np.argmin(finite)]
            raise UsageError(
                f"{name}: {np.sum(~finite)} points have NaN or infinite features, first in row {row}"
            )
    return points


def deduplicate(points: Points) -> Points:
    """Removes exact duplicates, so that no non-member has a twin among the members.

    Points are duplicates when all their features are equal, whatever their labels; the first one stays.

    Args:
      points: points without NaN.

    Returns:
      The distinct points, `duplicates` raised by the number removed.
    """
    seen: set[bytes] = set()
    first = np.zeros(len(points.x), bool)
    for row, features in enumerate(points.x):
        # Adding 0 turns -0.0 into 0.0, which equals it but has other bytes.
        digest = hashlib.blake2b((features + features.dtype.type(0)).tobytes(), digest_size=16).digest()
        first[row] = digest not in seen
        seen.add(digest)
    if first.all():
        return points
    return take(points, first)._replace(duplicates=points.duplicates + int(np.sum(~first)))
