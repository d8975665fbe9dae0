"""The points of an audit and its background."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from leakjax import _validate
from leakjax.data import Points, validate


def checked_points(points: Any) -> Points:
    """The points with NumPy arrays, fit to be audited.

    Args:
      points: what the caller gave.

    Raises:
      UsageError: no `Points`, features that are not floating or not finite, labels that are not 0..classes-1, ids
        that are not distinct, lengths that differ.
    """
    if not isinstance(points, Points):
        rule = "must be leakjax.Points; leakjax.data.in_order(x, y, classes=..., name=...) makes them"
        raise _validate.fail("points", type(points).__name__, rule)
    if not isinstance(points.name, str):
        raise _validate.fail("points.name", points.name, "must be a text")
    if not isinstance(points.groups, Mapping):
        rule = "must be a mapping from names to a text of each point"
        raise _validate.fail("points.groups", type(points.groups).__name__, rule)
    _validate.whole("points.classes", points.classes)
    groups = {name: np.asarray(column) for name, column in points.groups.items()}
    found = points._replace(
        x=np.asarray(points.x), y=np.asarray(points.y), ids=np.asarray(points.ids), groups=groups
    )
    try:
        validate(found)
    except _validate.UsageError as error:
        raise _validate.UsageError(f"points={error}") from None
    if found.x.dtype.kind != "f":
        rule = "must be of a floating type, since explanations are derivatives; x.astype(np.float32)"
        raise _validate.fail("points.x", str(found.x.dtype), rule)
    check_ids("points.ids", found.ids)
    return found._replace(x=found.x.astype(jax.dtypes.canonicalize_dtype(found.x.dtype), copy=False))


def check_ids(name: str, ids: np.ndarray) -> None:
    """Raises UsageError unless `ids` are distinct whole numbers of 32 bits: all randomness is keyed by them."""
    if ids.dtype.kind not in "iu" or len(np.unique(ids)) < len(ids):
        raise _validate.fail(name, str(ids.dtype), "must be distinct whole numbers")
    for wrong in ids[(ids < -(2**31)) | (ids >= 2**31)][:1].tolist():
        raise _validate.fail(name, wrong, "must fit into 32 bits, of which JAX keeps no more")


def check_background(background: Any, points: Points) -> np.ndarray | None:
    """The background as an array, where there is one.

    Raises:
      UsageError: it is not [rows, ...] like the points, or not finite.
    """
    if background is None:
        return None
    found = np.asarray(background)
    shape = points.x.shape[1:]
    if found.shape[1:] != shape or found.ndim != len(shape) + 1 or len(found) == 0:
        rule = f"must be [rows, ...] of examples of shape {shape}, like points.x"
        raise _validate.fail("background", found.shape, rule)
    if found.dtype.kind != "f":
        raise _validate.fail("background", str(found.dtype), "must be of a floating type")
    if not np.isfinite(found).all():
        raise _validate.fail("background", "non-finite", "must hold finite numbers alone")
    return found
