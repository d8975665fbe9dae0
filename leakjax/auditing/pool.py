"""Which points an audit trains on, explains with and audits."""

from typing import NamedTuple

import numpy as np

from leakjax import _validate, data
from leakjax.shadow import Ensemble


class Pool(NamedTuple):
    """The points of an audit.

    Attributes:
      points: models train on them, each on its half.
      background: features [rows, ...] of points that are neither trained on nor audited; None for none.
    """

    points: data.Points
    background: np.ndarray | None


def set_aside(points: data.Points, count: int) -> Pool:
    """Takes every so-manyth point out for a background.

    Args:
      points: all there are.
      count: how many are taken out.

    Raises:
      UsageError: nothing would be left.
    """
    if count == 0:
        return Pool(points, None)
    if count >= len(points.x):
        raise _validate.fail("background", count, f"must be below the {len(points.x)} points")
    rows = data.evenly_spaced(count, len(points.x))
    left = np.setdiff1d(np.arange(len(points.x)), rows)
    return Pool(data.take(points, left), points.x[rows])


def audited(points: data.Points, ensemble: Ensemble, count: int | None) -> tuple[data.Points, Ensemble]:
    """Some of the points that models were trained on, evenly spaced, and the models with who holds these.

    Args:
      points: all that they were trained on.
      ensemble: the models.
      count: how many are taken, at most all; None: all.
    """
    if count is None:
        return points, ensemble
    rows = data.evenly_spaced(count, len(points.x))
    return data.take(points, rows), ensemble._replace(membership=ensemble.membership[:, rows])
