"""Leaving values out at random."""

import dataclasses

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense, Noise
from leakjax.defend.domain import Domain, Number, arithmetic
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered


@registered
def random_mask(share: Number) -> Defense:
    """Zeroes every value independently with the same probability.

    It carries no guarantee: with probability (1 - share)^size an array is released whole.

    Args:
      share: probability that a value is zeroed, 0..1; may be traced.

    Returns:
      The defense; as a stage that draws, it ends what a sensitivity is measured of.

    Raises:
      UsageError: if the share is outside 0..1.
    """
    share = real("share", share)
    if _validate.is_concrete(share) and not 0 <= share <= 1:
        raise _validate.fail("share", share, "must be between 0 and 1")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        kept = jax.random.uniform(key, attribution.shape) >= share
        return jnp.where(kept, jnp.nan_to_num(attribution), 0)

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        return dataclasses.replace(domain, low=xp.minimum(domain.low, 0), high=xp.maximum(domain.high, 0))

    return Defense(f"random_mask({text(share)})", apply, out, noise=Noise("mask", lambda domain: share))
