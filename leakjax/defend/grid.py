"""Coarse values: multiples of a step, a number of decimals, the sign alone."""

import dataclasses
import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number, arithmetic
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.pointwise import of_at_least
from leakjax.defend.registry import registered

# What the float32 quotient and product of a value and a step are off by, relatively, and more.
_ROUNDING = 1e-6


@registered
def quantize(step: Number) -> Defense:
    """Rounds every value to the nearest multiple of a step, halves to the even multiple.

    Args:
      step: in the unit of the attribution, above 0; may be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if the step is not a finite number above 0.
    """
    step = real("step", step)
    _validate.positive("step", step)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        values = jnp.nan_to_num(attribution)
        width = jnp.asarray(step, values.dtype)
        return jnp.round(values / width) * width

    # Just beyond the middle between two multiples, on the side of the larger: the shortest array that rounds to it.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        whole = jnp.round(released / step) * step
        return jnp.sign(whole) * jnp.maximum(jnp.abs(whole) - 0.4999 * step, 0)

    return Defense(f"quantize({text(step)})", apply, lambda domain: _rounded(domain, step), preimage=preimage)


@registered
def round_to(digits: int) -> Defense:
    """Rounds every value to so many digits after the decimal point; fewer than 0 round to tens, hundreds, ...

    Args:
      digits: a whole number, -30..30.

    Returns:
      The defense.

    Raises:
      UsageError: if it is no such number.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not -30 <= digits <= 30:
        raise _validate.fail("digits", digits, "must be a whole number, -30 to 30")
    return quantize(10.0**-digits)._replace(name=f"round_to({digits})")


@registered
def sign() -> Defense:
    """Keeps the sign of every value: -1, 0 or 1.

    Returns:
      The defense.
    """

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        return jnp.sign(jnp.nan_to_num(attribution))

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        low = xp.where(domain.low < 0, -1.0, xp.where(domain.low > 0, 1.0, 0.0))
        high = xp.where(domain.high > 0, 1.0, xp.where(domain.high < 0, -1.0, 0.0))
        return dataclasses.replace(domain, low=low, high=high, l1=math.inf, l2=math.inf)

    # Any array of these signs will do: one that the box and the balls hold.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        ends = jnp.where(released >= 0, domain.high, -domain.low)
        small = jnp.minimum(jnp.minimum(domain.l1, domain.l2), 1.0) / released.size
        return jnp.sign(released) * jnp.minimum(ends, small)

    return Defense("sign()", apply, out, preimage=preimage)


def _rounded(domain: Domain, step: Number) -> Domain:
    """A set that holds the rounded arrays: the box rounds its ends, the balls grow by what rounding can add."""
    xp = arithmetic(step, *domain.numbers)
    inf = xp.isinf
    # A multiple m above 0 costs a value of m - 1/2 steps: norms bound how many there are and what they add up to.
    kept = of_at_least(domain, step * (0.5 - _ROUNDING))
    count = 1.0 * kept.nonzeros
    mean_square = xp.minimum(domain.l2 / step, 1e18) ** 2 / xp.maximum(count, 1)
    mean = xp.minimum(domain.l1 / step, 1e18) / xp.maximum(count, 1)
    l2 = xp.where(inf(domain.l2), math.inf, step * xp.sqrt(count * _square_gain(xp, mean_square)))
    l1 = xp.where(inf(domain.l1), math.inf, step * count * xp.where(mean <= 0.5, 2 * mean, mean + 0.5))

    def most(end: Number) -> Number:
        """The largest multiple to which `end` is rounded, in whichever precision."""
        steps = xp.where(inf(end), 0, end) / step
        far = xp.round(steps + xp.abs(steps) * _ROUNDING) * step
        return xp.where(inf(end), end, xp.maximum(far, xp.round(steps) * step))

    largest = xp.minimum(domain.l1, domain.l2)
    low, high = (most(xp.minimum(end, largest)) for end in (-domain.low, domain.high))
    return dataclasses.replace(
        domain, low=-low, high=high, l1=l1, l2=l2, nonzeros=kept.nonzeros,
        exact=domain.exact & inf(domain.l1) & inf(domain.l2),
    ).grown(_ROUNDING)  # fmt: skip


def _square_gain(xp: ModuleType, cost: Any) -> Any:
    """The concave hull of m^2 over the square (m - 1/2)^2 that a value needs to round to m steps."""
    m = xp.floor(xp.sqrt(cost) + 0.5)
    slope = (2 * m + 1) / xp.maximum(2 * m, 1)
    return xp.where(m < 1, 4 * cost, m**2 + (cost - (m - 0.5) ** 2) * slope)
