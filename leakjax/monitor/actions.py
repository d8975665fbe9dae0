"""What a service does with a query once its account has alarmed."""

from typing import Any

import jax
import numpy as np

from leakjax import _validate

ANSWERED = "answered"
# What `on_alarm` may be, and the word that answers then bear.
ACTIONS = {"coarsen": "coarsened", "cache": "cached", "refuse": "refused"}


def check(on_alarm: str) -> None:
    """Raises UsageError unless `on_alarm` is an action."""
    _validate.one_of("on_alarm", on_alarm, ACTIONS)


def one_digit(answer: Any) -> Any:
    """An answer of which one digit is left: every array rounded to tenths of its largest magnitude.

    Args:
      answer: a pytree of arrays and numbers; whole numbers, such as a class, stay.

    Returns:
      The same tree, arrays as NumPy's.
    """

    def rounded(leaf: Any) -> Any:
        values = np.asarray(leaf)
        if values.dtype.kind != "f" or values.size == 0:
            return leaf
        unit = np.max(np.abs(values), initial=0.0, where=np.isfinite(values)) / 10
        return (np.round(values / unit) * unit).astype(values.dtype) if unit > 0 else values

    return jax.tree.map(rounded, answer)
