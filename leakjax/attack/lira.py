"""LiRA: the ratio of two Gaussians that in- and out-models draw at each point.

Source: Carlini et al., "Membership Inference Attacks From First Principles" (S&P 2022, arXiv 2112.03570): online
Algorithm 1 and equation 3, offline equation 4, several queries section VI-C, variances section VI-B.
"""

from typing import Any, Literal

import numpy as np

from leakjax.attack.registry import Attack, Least, registered
from leakjax.attack.shadow_statistics import Pooled, Told, pooled, reduction, summed, told

Variance = Literal["per_point", "pooled", "global", "fixed"]


@registered
def lira(
    *, online: bool = True, variance: Variance = "per_point", signal: str = "odds", queries: bool = False
) -> Attack:
    """LiRA on one signal.

    Args:
      online: whether shadows that were trained on the point are used; if not, the score is how far above the mean of
        the out-models the target lies, in their standard deviations.
      variance: "per_point" of in- and of out-models at each point; "pooled" of both together at each point; "global"
        the mean over points of either; "fixed" over all points and models at once, as the authors' code has it.
      signal: a name that `reading.reader` knows; the log-odds of the true class in the paper.
      queries: whether the log-odds of further queries are used too, as independent Gaussians.
    """
    reduce, needs, view = reduction(signal, queries)

    def score(fitted: Pooled, reduced: Any) -> np.ndarray:
        seen = told(reduced)
        of_in, of_out = _variances(variance, seen, fitted)
        alive = (of_in > 0) & (of_out > 0)
        of_in, of_out = np.where(alive, of_in, 1.0), np.where(alive, of_out, 1.0)
        if online:
            nearer = (seen.answer - seen.mean_out) ** 2 / of_out - (seen.answer - seen.mean_in) ** 2 / of_in
            ratio = (nearer + np.log(of_out) - np.log(of_in)) / 2
        else:
            ratio = (seen.answer - seen.mean_out) / np.sqrt(of_out)
        return summed(np.where(alive, ratio, 0.0), seen.answer)

    return Attack(
        "lira", (view,), reduce, pooled, score, needs=needs, least=Least(2, 2) if online else Least(0, 2)
    )


def _variances(kind: Variance, seen: Told, over_points: Pooled) -> tuple[np.ndarray, np.ndarray]:
    """Variances of in- and out-models as one kind of LiRA takes them; 0 where a signal is constant at a point."""
    alive = np.maximum(seen.variance_in, seen.variance_out) > 0
    if kind == "per_point":
        return seen.variance_in, seen.variance_out
    if kind == "pooled":
        total = seen.count_in * seen.variance_in + seen.count_out * seen.variance_out
        of_both = total / np.maximum(seen.count_in + seen.count_out, 1)
        return of_both, of_both
    of_in, of_out = over_points.within if kind == "global" else over_points.total
    return np.where(alive, of_in, 0.0), np.where(alive, of_out, 0.0)


@registered
def map_ratio(*, signal: str = "map_log_l1", online: bool = True, variance: Variance = "per_point") -> Attack:
    """Likelihood ratios of a number of the explanation: its 1-norm, 2-norm or variance, in logarithms.

    Source: Huang, Pawelczyk & Lakkaraju, "Explaining the Model, Protecting Your Data" (arXiv 2407.17663), attacks
    L1-LRT, L2-LRT and VAR-LRT.
    """
    return lira(online=online, variance=variance, signal=signal)
