"""Keeping the few values that matter and zeroing the others."""

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered


@registered
def keep_top_k(k: Number) -> Defense:
    """Keeps the k values of largest magnitude, with their signs, and zeroes the others.

    Of equal magnitudes the one that comes first in the flattened array is kept. Not-a-number counts as 0 and
    infinity as the largest finite number.

    Args:
      k: how many are kept, at least 1; all if the array has fewer. May be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if k is not a whole number of at least 1.
    """
    k = real("k", k)
    _validate.at_least("k", k, 1)
    if _validate.is_concrete(k) and k != int(k):
        raise _validate.fail("k", k, "must be a whole number")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        values = jnp.nan_to_num(attribution)
        order = jnp.argsort(-jnp.abs(jnp.ravel(values)), stable=True)
        rank = jnp.argsort(order).reshape(values.shape)
        return jnp.where(rank < k, values, 0)

    return Defense(f"keep_top_k({text(k, int)})", apply, lambda domain: domain.keep_top_k(k))
