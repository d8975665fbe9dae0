"""How well an approximation ranks records as exact leave-one-out training does."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from leakjax._validate import same_shape
from leakjax.influence.exact import top_k


class Agreement(NamedTuple):
    """Means over queries.

    Attributes:
      correlation: Pearson's correlation of the influences.
      rank_correlation: Spearman's.
      overlap: Share of the exact top k among the approximate top k, by |influence|.
      first: Share of queries whose most influential record is the same.
    """

    correlation: float
    rank_correlation: float
    overlap: float
    first: float


def agreement(approximate: ArrayLike, exact: ArrayLike, *, k: int = 10) -> Agreement:
    """Compares two influence matrices; queries on which all records are equal do not count in the correlations.

    Args:
      approximate: [queries, records].
      exact: [queries, records].
      k: Records of the overlap, at most all.

    Raises:
      UsageError: Matrices of different shapes, or k out of range.
    """
    found, true = np.asarray(approximate, np.float64), np.asarray(exact, np.float64)
    same_shape("approximate", found.shape, true.shape, "exact")
    ours, theirs = top_k(np.abs(found), k), top_k(np.abs(true), k)
    return Agreement(
        _correlation(found, true),
        _correlation(rankdata(found, axis=1), rankdata(true, axis=1)),
        float((ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean()),
        float((ours[:, 0] == theirs[:, 0]).mean()),
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(((a * b).sum(axis=1)[scale > 0] / scale[scale > 0]).mean())
