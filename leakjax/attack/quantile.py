"""Quantile regression: what a model says of a point that it was not trained on is guessed from the point itself.

Source: Bertran, Tang, Kearns, Morgenstern, Roth & Wu, "Scalable Membership Inference Attacks via Quantile Regression"
(NeurIPS 2023, arXiv 2307.03694), algorithm 1 with the Gaussian parametrisation of section 3.2: one regression of
the mean and one of the spread give every quantile at once. They regress the target's own answers at points that it is
known not to have; here those are the answers of shadows.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack.reading import reader
from leakjax.attack.registry import Attack, Lesson, Protocol, registered
from leakjax.attack.replies import Replies

_TINY = 1e-6


@registered
def quantile(*, signal: str = "odds", trees: int = 50, protocol: Protocol = "shadows") -> Attack:
    """How many spreads a signal lies above what the point would have of a model that was not trained on it.

    Args:
      signal: a name that `reading.reader` knows; its sign is that of `threshold`.
      trees: of either regression, gradient-boosted.
      protocol: see `Attack`.
    """
    _validate.at_least("trees", trees, 1)
    read = reader(signal)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        about = seen.x.reshape(-1)
        if seen.label is not None:
            about = jnp.append(about, seen.label.astype(about.dtype))
        return read.sign * read.read(seen)[scored], jnp.broadcast_to(about[None], (len(scored), len(about)))

    def fit(lesson: Lesson) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor  # it takes seconds to import

        signals, about = lesson.reduced
        use = lesson.valid & np.isfinite(signals) & ~lesson.member
        if not use.any():
            return None
        model = lambda: HistGradientBoostingRegressor(max_iter=trees, early_stopping=False, random_state=0)
        answers = signals[use].astype(np.float64)
        centre = model().fit(about[use], answers)
        off = np.abs(answers - centre.predict(about[use]))
        return centre, model().fit(about[use], np.log(off + _TINY * (1 + np.abs(answers).mean())))

    def score(fitted: Any, reduced: Any) -> np.ndarray:
        signals, about = reduced
        if fitted is None:
            return np.where(np.isfinite(signals), 0.0, np.nan)
        centre, spread = (
            model.predict(about[:, 0])[:, None] for model in fitted
        )  # a point is the same to all
        return (signals.astype(np.float64) - centre) / np.exp(spread)

    return Attack("quantile", (read.view,), reduce, fit, score, needs=(*read.needs, "x"), protocol=protocol)
