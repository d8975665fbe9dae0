"""A linear solver without LAPACK, whose batched calls on several CPU devices wait for each other for ever."""

from typing import Any

import jax
import jax.numpy as jnp

# Pivots of one step. The tables of many solutions leave the cache: each step passes over them once.
_BLOCK = 16


def solve_positive(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """The solution of `matrix @ found = vector` by Gauss-Jordan elimination, a block of pivots at a time.

    Args:
      matrix: Symmetric and positive definite, [size, size]; it needs no pivoting.
      vector: [size].

    Returns:
      The solution [size].
    """

    def eliminate(_: Any, right: jax.Array) -> jax.Array:
        block = min(_BLOCK, len(right))
        more = -len(right) % block  # unknowns that fill the first block and meet no other
        table = jnp.pad(jnp.concatenate([matrix, right[:, None]], axis=1), ((more, 0), (more, 0)))
        return _eliminated(table.at[jnp.arange(more), jnp.arange(more)].set(1), block)[more:, -1]

    # The derivative solves once more, where one through the loop would keep each of its steps.
    return jax.lax.custom_linear_solve(lambda found: matrix @ found, vector, eliminate, symmetric=True)


def _eliminated(table: jax.Array, block: int) -> jax.Array:
    """What becomes of `table` [size, size + rest] when its first columns become the identity; block divides size."""
    size, width = table.shape

    def step(number: jax.Array, table: jax.Array) -> jax.Array:
        place = number * block
        rows = jax.lax.dynamic_slice(table, (place, 0), (block, width))
        columns = jax.lax.dynamic_slice(table, (0, place), (size, block))
        if block == 1:
            rows = rows / rows[:, place, None]
            table = table - columns * rows
        else:
            pivots = jax.lax.dynamic_slice(rows, (0, place), (block, block))
            rows = _eliminated(jnp.concatenate([pivots, rows], axis=1), 1)[:, block:]
            table = table - jnp.matmul(columns, rows, precision=jax.lax.Precision.HIGHEST)
        return jax.lax.dynamic_update_slice(table, rows, (place, 0))

    return jax.lax.fori_loop(0, size // block, step, table)
