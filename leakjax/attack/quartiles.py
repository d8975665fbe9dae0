"""Quartiles over models, of the numbers that are not missing, of many signals at once.

XLA sorts on a CPU by calling a comparison for each pair, about a microsecond for ten numbers. A sorting network is
minima and maxima of whole arrays, which a processor does eight or sixteen at a time, and an accelerator too.
"""

import jax
import jax.numpy as jnp
import numpy as np


def quartiles(values: jax.Array) -> jax.Array:
    """The quartiles along the first axis, interpolated as `numpy.nanquantile` does.

    Args:
      values: [models, ...], finite, or NaN where missing.

    Returns:
      [3, ...]: the lower quartile, the median and the upper one; NaN where all are missing.
    """
    count = jnp.sum(~jnp.isnan(values), axis=0, keepdims=True)
    ordered = network_sorted(jnp.where(jnp.isnan(values), jnp.inf, values))
    shares = jnp.array([0.25, 0.5, 0.75], values.dtype).reshape(-1, *(1,) * (values.ndim - 1))
    place = shares * jnp.maximum(count - 1, 0)
    below = jnp.floor(place).astype(jnp.int32)
    above = jnp.minimum(below + 1, jnp.maximum(count - 1, 0))
    low, high = (jnp.take_along_axis(ordered, rows, axis=0) for rows in (below, above))
    # A share of the difference, which is exact where both are equal.
    between = low + (place - below) * (high - low)
    return jnp.where(count > 0, between, jnp.nan)


def network_sorted(values: jax.Array) -> jax.Array:
    """Values without NaN in ascending order along the first axis, by Batcher's bitonic network (1968).

    Args:
      values: [models, ...].

    Returns:
      [models, ...].
    """
    count, size = len(values), 1 << max(0, len(values) - 1).bit_length()
    values = jnp.concatenate([values, jnp.full((size - count, *values.shape[1:]), jnp.inf, values.dtype)])
    wires = np.arange(size)
    stages = [(2**k, 2**j) for k in range(1, size.bit_length()) for j in reversed(range(k))]
    if not stages:
        return values
    # Of each stage: how far apart the wires are that it compares, which of both a wire is, and which it keeps.
    apart = jnp.array([step for _, step in stages])
    is_lower = np.array([(wires & step) == 0 for _, step in stages])
    ascending = np.array([(wires & block) == 0 for block, _ in stages])
    each = lambda table: jnp.asarray(table).reshape(len(stages), size, *(1,) * (values.ndim - 1))
    lower, keeps_less = each(is_lower), each(is_lower == ascending)

    # A loop, which is compiled once for all stages.
    def compare(stage: int, values: jax.Array) -> jax.Array:
        twice, step = jnp.concatenate([values, values]), apart[stage]
        after = jax.lax.dynamic_slice_in_dim(twice, step, size)
        before = jax.lax.dynamic_slice_in_dim(twice, size - step, size)
        other = jnp.where(lower[stage], after, before)
        return jnp.where(keeps_less[stage], jnp.minimum(values, other), jnp.maximum(values, other))

    return jax.lax.fori_loop(0, len(stages), compare, values)[:count]
