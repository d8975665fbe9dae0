"""Hyperparameters of defenses: real scalars that may be traced."""

import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.domain import Number


def real(name: str, value: Number) -> Number:
    """A hyperparameter as a Python number if it has a value, unchanged while it is traced.

    Args:
      name: what a message calls it.
      value: a Python, NumPy or JAX scalar.

    Returns:
      The number. Python numbers stay concrete inside jit, where arithmetic on arrays would be traced.

    Raises:
      UsageError: if it is no real scalar.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    dtype = getattr(value, "dtype", None)
    if dtype is None or value.ndim or not jnp.issubdtype(dtype, jnp.number):
        raise _validate.fail(name, value, "must be a number")
    return value.item() if _validate.is_concrete(value) else value


def text(value: Number, kind: type = float) -> str:
    """A hyperparameter as a name holds it: its value, or a question mark while it is traced."""
    return repr(kind(value)) if _validate.is_concrete(value) else "?"
