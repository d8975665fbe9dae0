"""Sums and norms in floating point whose error is known, so that bounds hold when they are checked in float64."""

import math

import jax
import jax.numpy as jnp


def total(terms: jax.Array) -> jax.Array:
    """The sum along the last axis, pairwise: its relative error grows with log2 of the length only.

    Args:
      terms: [..., length].

    Returns:
      [...].
    """
    count = terms.shape[-1]
    whole = 2 ** math.ceil(math.log2(max(count, 1)))
    terms = jnp.pad(terms, [(0, 0)] * (terms.ndim - 1) + [(0, whole - count)])
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        terms = terms[..., :half] + terms[..., half:]
    return terms[..., 0]


def length(x: jax.Array, norm: float) -> jax.Array:
    """The norm of a flattened array; its relative error is below `slack`, if no square over- or underflows.

    Args:
      x: any shape.
      norm: 1, 2 or inf.

    Returns:
      A scalar.
    """
    magnitudes = jnp.abs(jnp.ravel(x))
    if norm == math.inf:
        return jnp.max(magnitudes, initial=0)
    return total(magnitudes) if norm == 1 else jnp.sqrt(total(magnitudes**2))


def slack(count: int, dtype: str | jnp.dtype = "float32") -> float:
    """What roundings can add to a pairwise sum of so many values and a handful of operations on it, relatively.

    Args:
      count: of values.
      dtype: they are in.

    Returns:
      Each rounding costs at most eps / 2: one per level of the sum, fewer than 8 elsewhere.
    """
    return (math.ceil(math.log2(max(count, 1))) + 8) * float(jnp.finfo(dtype).eps)
