"""Who is found: leakage among the points of a class, of a group, those that a model gets right or is unsure of."""

from typing import NamedTuple

import numpy as np

from leakjax.evaluate import roc
from leakjax.evaluate.roc import OverTargets, over_targets


class Part(NamedTuple):
    """Leakage within one part of the points.

    Attributes:
      level: what its points have in common.
      share: of all valid pairs of target and point.
      tpr: members of the part that are caught, the threshold set over all points; mean over targets and its error.
      fpr: non-members of the part that are caught, at that threshold.
    """

    level: str
    share: float
    tpr: OverTargets
    fpr: OverTargets


def by_part(
    scores: np.ndarray, membership: np.ndarray, valid: np.ndarray, levels: np.ndarray, rate: float
) -> list[Part]:
    """Leakage by the levels of a column.

    Args:
      scores: [targets, points], higher = member.
      membership: bool [targets, points].
      valid: bool [targets, points].
      levels: [points], or [targets, points] where a point belongs to another part for another model.
      rate: the false-positive rate of the threshold.

    Returns:
      A `Part` for each level, in their order.
    """
    caught = roc.caught(scores, membership, valid, rate)
    found = []
    for level in sorted(set(levels.ravel().tolist())):
        here = valid & (levels == level)
        if not here.any():
            continue
        tpr, fpr = (_share(caught, here & kind) for kind in (membership, ~membership))
        found.append(Part(str(level), float(here.sum() / valid.sum()), over_targets(tpr), over_targets(fpr)))
    return found


def correctness(predicted: np.ndarray, label: np.ndarray) -> np.ndarray:
    """ "right" or "wrong" of every answer. Args: predicted int [targets, points], label int [points]."""
    return np.where(predicted == label[None], "right", "wrong")


def fifths(loss: np.ndarray) -> np.ndarray:
    """The fifth that each loss [targets, points] belongs to among those of its target: "1 of 5", the lowest, and up."""
    place = np.argsort(np.argsort(loss, axis=1, kind="stable"), axis=1, kind="stable")
    return np.char.add((5 * place // loss.shape[1] + 1).astype(str), " of 5")


def _share(caught: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Of each target the share of some points that is caught; NaN where it has none."""
    count = among.sum(axis=1)
    return np.where(count > 0, (caught & among).sum(axis=1) / np.maximum(count, 1), np.nan)
