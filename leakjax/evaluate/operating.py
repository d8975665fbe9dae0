"""What becomes of an attack whose threshold is set beforehand: the false alarms that come of it, and its precision."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from leakjax.evaluate.roc import OverTargets, allowed, over_targets

PRIORS = (0.01, 0.1)


class Operating(NamedTuple):
    """Rates at a threshold that was not set on the target, each the mean over targets and its standard error.

    Attributes:
      fpr: the false-positive rate that came of it.
      tpr: the true-positive rate.
      precision: by prior, the share of members among the points that are called so, where that share of all points
        is a member; NaN targets, which call none, are left out.
    """

    fpr: OverTargets
    tpr: OverTargets
    precision: Mapping[float, OverTargets]


def operating(
    scores: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    rate: float,
    *,
    priors: tuple[float, ...] = PRIORS,
) -> Operating:
    """Sets the threshold of each target where the other targets, as its shadows, have a false-positive rate.

    Args:
      scores: [targets, points], at least two targets, on one scale.
      membership: bool [targets, points].
      valid: bool [targets, points]; the others do not count.
      rate: the false-positive rate that is aimed at.
      priors: shares of members among the points that an attacker looks at.

    Returns:
      `Operating`.
    """
    tpr, fpr = np.full((2, len(scores)), np.nan)
    outside = valid & ~membership
    order = np.argsort(-scores[outside], kind="stable")
    nonmembers, owner = scores[outside][order], np.nonzero(outside)[0][order]
    for target in range(len(scores)):
        level = _threshold(nonmembers[owner != target], rate)
        called = scores[target] > level
        inside = valid[target] & membership[target]
        if inside.any() and outside[target].any():
            tpr[target], fpr[target] = called[inside].mean(), called[outside[target]].mean()
    with np.errstate(invalid="ignore"):
        precision = {prior: over_targets(prior * tpr / (prior * tpr + (1 - prior) * fpr)) for prior in priors}
    return Operating(over_targets(fpr), over_targets(tpr), precision)


def _threshold(nonmembers: np.ndarray, rate: float) -> float:
    """The lowest score that no more non-members, the highest first, than the rate allows are above."""
    if len(nonmembers) == 0:
        return float("inf")
    return float(nonmembers[min(int(allowed(rate, len(nonmembers))), len(nonmembers) - 1)])
