"""Keeping the few values that matter and zeroing the others."""

import dataclasses
from collections.abc import Callable

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

    def count(size: int) -> Number:
        if _validate.is_concrete(k) and k > size:
            raise _validate.fail("k", k, f"must be at most {size}, the values that an attribution has there")
        return k

    return _keep(f"keep_top_k({text(k, int)}{', signed=True' if signed else ''})", count, signed)


@registered
def keep_top_share(share: Number) -> Defense:
    """Keeps the largest share of the values by magnitude, with their signs: `keep_top_k` for arrays of any size.

    Args:
      share: of the values, above 0, at most 1; how many are kept is rounded to a whole number of at least 1. May be
        traced.

    Returns:
      The defense.

    Raises:
      UsageError: if the share is out of range.
    """
    share = real("share", share)
    if _validate.is_concrete(share) and not 0 < share <= 1:
        raise _validate.fail("share", share, "must be above 0 and at most 1")

    def count(size: int) -> Number:
        if _validate.is_concrete(share):
            return max(1, round(share * size))
        return jnp.maximum(1, jnp.round(share * size))

    return _keep(f"keep_top_share({text(share)})", count)


def _keep(name: str, count: Callable[[int], Number], signed: bool = False) -> Defense:
    """The defense that keeps as many values as `count` says of a size."""

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        k = count(attribution.size)
        values = jnp.nan_to_num(attribution)
        most = int(k) if _validate.is_concrete(k) else values.size
        # Of equal values top_k gives the first one first; of 6 of 784 values it takes a fortieth of sorting them.
        order = jax.lax.top_k(jnp.ravel(values if signed else jnp.abs(values)), most)[1]
        kept = jnp.zeros(values.size, bool).at[order].set(jnp.arange(most) < k)
        return jnp.where(kept.reshape(values.shape), values, 0)

    def out(domain: Domain) -> Domain:
        kept = domain.keep_top_k(count(domain.size))
        return dataclasses.replace(kept, exact=kept.exact & (domain.low >= 0)) if signed else kept

    # What is dropped must have been no larger than the least that is kept, which may be below 0.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        return jnp.where(released == 0, jnp.minimum(released.min(), 0), released)

    return Defense(name, apply, out, preimage=preimage if signed else None)
