"""Transforms of every value by itself: absolute value, positive part, a factor, small values to zero.

Not-a-number counts as 0 and infinity as the largest finite number, as everywhere in this room.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number, arithmetic
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered


@registered
def absolute() -> Defense:
    """Keeps the magnitude of every value and drops its sign.

    Returns:
      The defense; its results are at least 0.
    """

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        return jnp.abs(jnp.nan_to_num(attribution))

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        far = xp.maximum(domain.high, -domain.low)
        near = xp.maximum(xp.maximum(domain.low, -domain.high), 0)
        return dataclasses.replace(domain, low=near, high=far)

    # A magnitude above the interval's upper end came from a value below 0.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        return jnp.where(released <= domain.high, released, -released)

    return Defense("absolute()", apply, out, preimage=preimage, lipschitz=lambda domain, norm: 1.0)


@registered
def rectify() -> Defense:
    """Keeps positive values and zeroes the others.

    Returns:
      The defense; its results are at least 0.
    """

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        return jnp.maximum(jnp.nan_to_num(attribution), 0)

    return Defense(
        "rectify()",
        apply,
        lambda domain: domain.clip_values(0.0, math.inf),
        lipschitz=lambda domain, norm: 1.0,
    )


@registered
def scale(factor: Number) -> Defense:
    """Multiplies every value by a factor.

    Args:
      factor: a finite number other than 0; may be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if the factor is 0 or not finite.
    """
    factor = real("factor", factor)
    if _validate.is_concrete(factor) and not (math.isfinite(factor) and factor != 0):
        raise _validate.fail("factor", factor, "must be a finite number other than 0")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        return jnp.nan_to_num(attribution) * jnp.asarray(factor, attribution.dtype)

    def out(domain: Domain) -> Domain:
        xp = arithmetic(factor, *domain.numbers)
        one, other = domain.low * factor, domain.high * factor
        size = xp.abs(factor)
        return dataclasses.replace(
            domain, low=xp.minimum(one, other), high=xp.maximum(one, other),
            l1=domain.l1 * size, l2=domain.l2 * size,
        ).grown(3e-7)  # fmt: skip

    return Defense(
        f"scale({text(factor)})",
        apply,
        out,
        preimage=lambda released, domain, x: released / factor,
        lipschitz=lambda domain, norm: abs(factor),
    )


@registered
def drop_below(threshold: Number) -> Defense:
    """Zeroes every value whose magnitude is below a threshold.

    Args:
      threshold: in the unit of the attribution, at least 0; may be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if the threshold is negative or not finite.
    """
    threshold = real("threshold", threshold)
    _validate.at_least("threshold", threshold, 0)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        values = jnp.nan_to_num(attribution)
        return jnp.where(jnp.abs(values) < jnp.asarray(threshold, values.dtype), 0, values)

    # What comes out is its own preimage; said so that the witness is tried, since the set has values between.
    return Defense(
        f"drop_below({text(threshold)})",
        apply,
        lambda domain: of_at_least(domain, threshold),
        preimage=lambda released, domain, x: released,
    )


def of_at_least(domain: Domain, least: Number) -> Domain:
    """The arrays of a set whose values are 0 or of at least a magnitude: no more of them than the norms allow.

    Args:
      domain: the set.
      least: magnitude, in the unit of the attribution, at least 0.

    Returns:
      A set that holds them all; not called exact, since values between 0 and `least` are still in it.
    """
    xp = arithmetic(least, *domain.numbers)
    floor = xp.maximum(least, 1e-30)
    # A slack: 1 / 0.1 is to count as ten, and a float32 threshold may be below the one that was asked for.
    fit = xp.minimum(domain.l1 / floor, (domain.l2 / floor) ** 2) * (1 + 1e-6)
    count = xp.minimum(domain.nonzeros, xp.floor(xp.minimum(fit, domain.size)))
    within = least * (1 - 1e-6)
    low = xp.where((count == 0) | (domain.low < 0) & (-domain.low < within), 0.0, domain.low)
    high = xp.where((count == 0) | (domain.high > 0) & (domain.high < within), 0.0, domain.high)
    return dataclasses.replace(
        domain, low=xp.minimum(low, 0), high=xp.maximum(high, 0), nonzeros=count,
        exact=domain.exact & (least == 0),
    )  # fmt: skip
