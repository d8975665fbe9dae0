"""Is leakage linear in the gap? A line through an attack's accuracies at all gaps, and what a bend adds."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from leakjax.evaluate.document import Estimate
from leakjax.papers.overfitting.document import AttackRow, LineRow

_LEAST = 3


def lines(rows: Sequence[AttackRow]) -> list[LineRow]:
    """A line for each attack of each data set that was made at three gaps or more.

    Args:
      rows: of all attacks on plain gradients.
    """
    kinds = dict.fromkeys((one.dataset, one.attack, one.learns, one.sees, one.explainer) for one in rows)
    found = []
    for kind in kinds:
        own = [one for one in rows if (one.dataset, one.attack, one.learns, one.sees, one.explainer) == kind]
        if len(own) < _LEAST:
            continue
        gap, accuracy = np.array([one.gap for one in own]), np.array([one.accuracy.value for one in own])
        slope = coefficient(np.stack([np.ones(len(gap)), gap], axis=1), accuracy)
        bend = coefficient(np.stack([np.ones(len(gap)), gap, gap**2], axis=1), accuracy)
        line = np.polyval(np.polyfit(gap, accuracy, 1), gap)
        spread = float(((accuracy - accuracy.mean()) ** 2).sum())
        left = float(((accuracy - line) ** 2).sum())
        dataset, attack, learns, sees, _ = kind
        found.append(
            LineRow(
                dataset=dataset,
                attack=attack,
                learns=learns,
                sees=sees,
                gaps=len(own),
                slope=slope,
                explained_variance=1 - left / spread if spread > 0 else float("nan"),
                bend=bend,
            )
        )
    return found


def coefficient(design: np.ndarray, seen: np.ndarray) -> Estimate:
    """The last coefficient of a least-squares fit with its 95 % interval by Student's t.

    Args:
      design: [rows, columns].
      seen: [rows].

    Returns:
      The estimate; all NaN where there are not at least two more rows than columns, its ends NaN where there is one.
    """
    rows, columns = design.shape
    free = rows - columns
    nothing = float("nan")
    if free < 1 or np.linalg.matrix_rank(design) < columns:
        return Estimate(nothing, nothing, nothing)
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ seen
    residual = float(((seen - design @ fitted) ** 2).sum()) / free
    error = float(np.sqrt(residual * inverse[-1, -1]))
    reach = float(stats.t.ppf(0.975, free)) * error
    return Estimate(float(fitted[-1]), float(fitted[-1]) - reach, float(fitted[-1]) + reach, error)
