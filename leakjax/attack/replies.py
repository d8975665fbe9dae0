"""What all models replied when they were asked about points, as far as the service shows it.

Attacks that look at named numbers (a loss, a norm, the answers to further queries) read them from here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.oracle.release import PredictionPart, show

View = Literal["prediction", "explanation", "both"]

# The probability that the shown class of a bare label is given: any other would order the points alike.
_SURE = 0.99
_LEAST = 1e-7


class Replies(NamedTuple):
    """Replies at many points; at one point the axis of points is missing. None: not shown, or not known.

    Attributes:
      log_probabilities: [models, points, classes], see `completed`.
      label: int [points], the true classes.
      x: [points, ...].
      maps: [models, points, ...], explanations as they are released.
      queries: [models, points, queries, classes], log-probabilities at further inputs that the attacker chose.
      signals: by name, [models, points], any other number of a reply, higher or lower for members.
    """

    log_probabilities: Any = None
    label: Any = None
    x: Any = None
    maps: Any = None
    queries: Any = None
    signals: Mapping[str, Any] | None = None

    def at(self, rows: np.ndarray) -> "Replies":
        """The replies at some points; of a memory-mapped array only those are read."""
        return jax.tree.map(
            lambda axis, leaf: np.asarray(leaf[:, rows] if axis else leaf[rows]), self.axes(), self
        )

    def axes(self) -> "Replies":
        """The axis of points in place of each array."""
        arrays = dict(zip(self._fields[:-1], (1, 0, 0, 1, 1), strict=True))
        there = {name: axis for name, axis in arrays.items() if getattr(self, name) is not None}
        return Replies(**there, signals=None if self.signals is None else dict.fromkeys(self.signals, 1))

    def check(self, membership: np.ndarray) -> None:
        """Raises UsageError where an array does not begin with models and points as `membership` does."""
        named = self._asdict() | dict(self.signals or {})
        for name, leaf in named.items():
            if leaf is not None and name != "signals":
                expected = membership.shape[1:] if name in ("label", "x") else membership.shape
                _validate.same_shape(name, leaf.shape[: len(expected)], expected, "membership")


Source = Callable[[np.ndarray], Replies]  # from rows of points to the replies there


def completed(part: PredictionPart, logits: jax.Array) -> jax.Array:
    """Log-probabilities of all classes that say what one release shows and no more.

    What is not shown is shared evenly: by the classes that are not named, and of a bare label the named class has a
    probability that is the same for all.

    Args:
      part: what is shown of a prediction.
      logits: [classes].

    Returns:
      [classes].

    Raises:
      UsageError: nothing is shown.
    """
    classes = logits.shape[-1]
    if part.kind == "none":
        raise _validate.fail("release", part.name, "shows no prediction for this attack to look at")
    shown = show(part, logits)
    if part.kind == "vector":
        return shown.probabilities
    named = shown.probabilities
    if part.kind == "label":
        named = jnp.full((1,), _SURE)
    elif part.kind == "confidence":
        half = 0.5 * 10.0**-part.number  # what rounding may have hidden
        named = jnp.clip(named, half, 1 - half)
    rest = jnp.maximum(1 - named.sum(), _LEAST) / max(1, classes - len(named))
    found = jnp.full((classes,), rest).at[shown.classes].set(jnp.maximum(named, _LEAST))
    found = jnp.log(found / found.sum())
    return jnp.where(jnp.isfinite(logits).any(), found, jnp.nan)
