"""Leakage by group: the data set's own groups, rare classes, and outliers."""

from collections.abc import Mapping

import numpy as np

from leakjax import data
from leakjax.auditing.judge import Judge
from leakjax.auditing.rows import Found
from leakjax.data.outliers import OTHERS, outliers
from leakjax.evaluate import bootstrap, leakage
from leakjax.papers.overfitting.document import GroupLeak

OUTLIERS, CLASSES = "distance to other points", "size of the class"
_TENTH = 0.1
_AT = leakage.RATES.index("0.01")


def groups_of(points: data.Points) -> dict[str, np.ndarray]:
    """Group columns, str [points]: those of the data set, rare classes and outliers.

    Outliers are as in `data.outliers`; a class is rare where it is among the smallest classes that together hold at
    most a tenth of the points, and two classes have none.
    """
    counts = np.bincount(points.y, minlength=points.classes)
    order = np.argsort(counts, kind="stable")
    rare = np.zeros(points.classes, bool)
    rare[order[np.cumsum(counts[order]) <= _TENTH * len(points.y)]] = True
    found: dict[str, np.ndarray] = dict(points.groups)
    found[OUTLIERS] = outliers(points.x)
    if rare[points.y].any():
        found[CLASSES] = np.where(rare[points.y], "rare classes", OTHERS)
    return found


def group_rows(dataset: str, groups: Mapping[str, np.ndarray], judge: Judge, found: Found) -> list[GroupLeak]:
    """What the stacked attack finds in each group, at the threshold of all points.

    Args:
      dataset: its name.
      groups: from `groups_of`.
      judge: of the sitting.
      found: of the gradient, under the releases label and vector.
    """
    rows = []
    judge = judge.narrowed(found.valid)
    for group, levels in groups.items():
        for level in np.unique(levels):
            part = levels == level
            share = lambda scores, part=part: bootstrap.estimate(
                bootstrap.mean_over_targets(judge.rates(scores, of=part).tpr[_AT], judge.resamples)
            )
            rows.append(
                GroupLeak(
                    dataset=dataset,
                    group=group,
                    level=str(level),
                    points=int(part.sum()),
                    share=float(part.mean()),
                    label=share(found.prediction[0]),
                    gradient=share(found.explanation),
                    both=share(found.both[1]),
                )
            )
    return rows
