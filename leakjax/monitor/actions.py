"""What a service does with a query once its account has alarmed."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from leakjax import _validate

ANSWERED = "answered"
# What `on_alarm` may be, and the word that answers then bear.
ACTIONS = {"coarsen": "coarsened", "cache": "cached", "refuse": "refused"}


def check(on_alarm: str) -> None:
    """Raises UsageError unless `on_alarm` is an action."""
    _validate.one_of("on_alarm", on_alarm, ACTIONS)


def one_digit(answer: Any) -> Any:
    """An answer of which one digit is left: every array in multiples of the power of ten below its largest magnitude.

    The unit is no multiple of the largest value itself, which would then come through in full.

    Args:
      answer: a pytree of arrays and numbers, which may be traced; whole numbers, such as a class, stay.

    Returns:
      The same tree, its arrays of the kind that they were.
    """

    def rounded(leaf: Any) -> Any:
        numpy = jnp if isinstance(leaf, jax.Array) else np
        values = numpy.asarray(leaf)
        if values.dtype.kind != "f" or values.size == 0:
            return leaf
        largest = numpy.max(numpy.where(numpy.isfinite(values), numpy.abs(values), 0.0))
        unit = 10.0 ** numpy.floor(numpy.log10(numpy.where(largest > 0, largest, 1.0)))
        return (numpy.round(values / unit) * unit).astype(values.dtype)

    return jax.tree.map(rounded, answer)
