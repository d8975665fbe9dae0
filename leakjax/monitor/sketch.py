"""Queries in few numbers that keep their distances, so that many of them can be held and compared."""

from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp

SIZE = 64
_SEED = 0


def sketch(features: int, size: int = SIZE) -> Callable[[jax.Array], jax.Array]:
    """A random orthogonal projection that keeps distances on average, and exactly where there is room.

    Args:
      features: of a query.
      size: of its sketch. A squared distance is off by a standard deviation of about sqrt(2 / size) of itself.

    Returns:
      A function of float32 [features] that gives [size], or the query itself where it has no more than `size`.

    Source: Johnson and Lindenstrauss (1984); Dasgupta and Gupta, "An elementary proof" (2003), section 2.
    """
    if features <= size:
        return lambda x: x
    normal = np.random.RandomState(_SEED).normal(size=(features, size))
    axes = np.linalg.qr(normal)[0] * np.sqrt(features / size)
    projection = jnp.asarray(axes, jnp.float32)
    return lambda x: jnp.matmul(x, projection, precision="highest")


def squared_distances(held: jax.Array, own: jax.Array) -> jax.Array:
    """The squared distances [held] of a sketch [size] to others [size, held], infinite to those that are."""
    # On a CPU a loop over rows takes half the time of XLA's sum over them.
    add = lambda place, total: total + (held[place] - own[place]) ** 2
    return jax.lax.fori_loop(0, len(own), add, jnp.zeros_like(held[0]))
