"""One number of one reply, the same rule for every point: thresholds and the decision tree.

Source: Shokri, Strobel & Zick, "On the Privacy Risks of Model Explanations" (AIES 2021, arXiv 1907.00164), sections
4.2 and 4.3: thresholds on the loss and on the variance of the explanation, trees on its 1-norm. The signs are fixed
in `reading`: training pulls the loss and the entropy down, the confidence up, norms and variance of gradients down.
"""

from typing import Any

import jax
import numpy as np

from leakjax import _validate
from leakjax.attack.reading import reader
from leakjax.attack.registry import Attack, Lesson, Protocol, learns_nothing, registered
from leakjax.attack.replies import Replies


@registered
def threshold(*, signal: str = "loss") -> Attack:
    """Orders points by one number, no shadow is asked.

    Args:
      signal: a name that `reading.reader` knows: "loss", "confidence", "entropy", "map_log_l1", "map_log_variance", ...
    """
    read = reader(signal)

    def score(fitted: None, reduced: Any) -> np.ndarray:
        return read.sign * np.asarray(reduced, np.float64)

    return Attack("threshold", (read.view,), _reduction(signal), learns_nothing, score, needs=read.needs)


@registered
def tree(*, signal: str = "map_log_l1", depth: int = 4, protocol: Protocol = "shadows") -> Attack:
    """A decision tree on one number.

    Args:
      signal: a name that `reading.reader` knows; the 1-norm of the explanation in the paper.
      depth: of the tree.
      protocol: see `Attack`.
    """
    _validate.at_least("depth", depth, 1)
    read = reader(signal)

    def fit(lesson: Lesson) -> Any:
        from sklearn.tree import DecisionTreeClassifier  # it takes seconds to import

        values = np.asarray(lesson.reduced, np.float64)
        use = lesson.valid & np.isfinite(values)
        if not use.any() or len(np.unique(lesson.member[use])) < 2:
            return None
        grown = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=20, random_state=0)
        return grown.fit(values[use][:, None], lesson.member[use])

    def score(fitted: Any, reduced: Any) -> np.ndarray:
        values = np.asarray(reduced, np.float64)
        there = np.isfinite(values)
        chance = np.full(values.shape, np.nan)
        if there.any():
            column = values[there][:, None]
            chance[there] = 0.5 if fitted is None else fitted.predict_proba(column)[:, 1]
        return chance

    return Attack("tree", (read.view,), _reduction(signal), fit, score, needs=read.needs, protocol=protocol)


def _reduction(signal: str) -> Any:
    read = reader(signal)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> jax.Array:
        return read.read(seen)[scored]

    return reduce
