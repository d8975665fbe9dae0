"""Keeping the few values that matter and zeroing the others."""

import dataclasses

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered


@registered
def keep_top_k(k: Number, signed: bool = False) -> Defense:
    """Keeps the k values of largest magnitude, with their signs, and zeroes the others.

    Of equal ones the one that comes first in the flattened array is kept. Not-a-number counts as 0 and infinity as
    the largest finite number.

    Args:
      k: how many are kept, 1 to the number of values. May be traced.
      signed: True keeps the k largest values instead of magnitudes: what speaks for the class. The set that it
        leaves is then only a bound where values may be negative, since zeros come before negative values.

    Returns:
      The defense.

    Raises:
      UsageError: if k is not a whole number of at least 1; when it is applied, if it is more than there are values.
    """
    k = real("k", k)
    _validate.at_least("k", k, 1)
    if _validate.is_concrete(k) and k != int(k):
        raise _validate.fail("k", k, "must be a whole number")

    def fits(size: int) -> None:
        if _validate.is_concrete(k) and k > size:
            raise _validate.fail("k", k, f"must be at most {size}, the values that an attribution has there")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        fits(attribution.size)
        values = jnp.nan_to_num(attribution)
        order = jnp.argsort(-jnp.ravel(values if signed else jnp.abs(values)), stable=True)
        rank = jnp.argsort(order).reshape(values.shape)
        return jnp.where(rank < k, values, 0)

    def out(domain: Domain) -> Domain:
        fits(domain.size)
        kept = domain.keep_top_k(k)
        return dataclasses.replace(kept, exact=kept.exact & (domain.low >= 0)) if signed else kept

    # What is dropped must have been no larger than the least that is kept, which may be below 0.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        return jnp.where(released == 0, jnp.minimum(released.min(), 0), released)

    name = f"keep_top_k({text(k, int)}{', signed=True' if signed else ''})"
    return Defense(name, apply, out, preimage=preimage if signed else None)
