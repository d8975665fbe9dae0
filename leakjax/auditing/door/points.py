"""The points of an audit and its background."""

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
    if found.ids.dtype.kind not in "iu" or len(np.unique(found.ids)) < len(found.ids):
        raise _validate.fail("points.ids", str(found.ids.dtype), "must be distinct whole numbers")
    return found._replace(x=found.x.astype(jax.dtypes.canonicalize_dtype(found.x.dtype), copy=False))


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
