"""Clipping: of every value to an interval, and of the whole array onto a norm ball.

Not-a-number counts as 0 and infinity as the largest finite number, so that the bounds hold for every input.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.length import length, slack
from leakjax.defend.registry import registered

NORMS = (1, 2, math.inf)
# Quotients of a radius and a value are normal float32 numbers within these, and so is one over the largest
# value (1 / 3e38 is not, and the compiler may divide by multiplying with it).
RADII = (1e-30, 1e30)
LARGEST = 1e36


@registered
def clip_values(low: Number, high: Number) -> Defense:
    """Clips every value to [low, high].

    Args:
      low: least value, may be -inf; may be traced.
      high: largest value, may be inf; may be traced.

    Returns:
      The defense. Its results lie in the interval also when compared in float64.

    Raises:
      UsageError: if a bound is not a number, low is above high, or both are the same infinity.
    """
    low, high = real("low", low), real("high", high)
    if _validate.is_concrete(low) and not low < math.inf:
        raise _validate.fail("low", low, "must be a number below infinity")
    if _validate.is_concrete(high) and not high > -math.inf:
        raise _validate.fail("high", high, "must be a number above minus infinity")
    if _validate.is_concrete(low) and _validate.is_concrete(high) and low > high:
        raise _validate.fail("low", low, f"must be at most high={high!r}")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        least = _round(low, attribution.dtype, math.inf)
        most = _round(high, attribution.dtype, -math.inf)
        return jnp.clip(jnp.nan_to_num(attribution), least, most)

    return Defense(
        f"clip_values({text(low)}, {text(high)})",
        apply,
        lambda domain: domain.clip_values(low, high),
        lipschitz=lambda domain, distance: 1.0,
    )


@registered
def clip_norm(radius: Number, norm: float = 2) -> Defense:
    """Scales the array onto the ball of a radius where it lies outside.

    Results lie in the ball also when their norm is computed in float64: what lies on the sphere or outside is
    scaled to just below the radius (two parts in a million, for 784 values). Values beyond 1e36, infinite or
    not, count as 1e36.

    Args:
      radius: radius of the ball, in the unit of the attribution, 1e-30..1e30; may be traced.
      norm: 1, 2 or inf (the largest absolute value).

    Returns:
      The defense.

    Raises:
      UsageError: if the radius is out of range or the norm is another.
    """
    radius = real("radius", radius)
    if _validate.is_concrete(radius) and not RADII[0] <= radius <= RADII[1]:
        raise _validate.fail("radius", radius, f"must be between {RADII[0]} and {RADII[1]}")
    if norm not in NORMS:
        raise _validate.fail("norm", norm, "must be 1, 2 or inf")
    norm = norm if norm == math.inf else int(norm)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        tiny = jnp.finfo(attribution.dtype).tiny
        limit = jnp.asarray(radius, attribution.dtype)
        values = jnp.clip(jnp.nan_to_num(attribution), -LARGEST, LARGEST)
        # Relative to the largest value no norm overflows; the floor keeps zeros and denormals from 0 / 0.
        largest = jnp.maximum(jnp.max(jnp.abs(values), initial=0), tiny)
        unit = values / largest
        size = length(unit, norm) * (1 + slack(values.size, values.dtype))
        return jnp.where(size <= limit / largest, values, unit * (limit / jnp.maximum(size, tiny)))

    name = f"clip_norm({text(radius)}, norm={norm})"

    # Onto an L2 ball it is the nearest point; onto another the radial projection stretches up to twice its own norm
    # (Dunkl & Williams 1964), and between norms there is no bound that does not grow with the size.
    def lipschitz(domain: Domain, distance: float) -> Number:
        return (1.0 if norm == 2 else 2.0) if distance == norm else math.inf

    return Defense(name, apply, lambda domain: domain.clip_norm(radius, norm), lipschitz=lipschitz)


def _round(bound: Number, dtype: np.dtype, towards: float) -> Number:
    """A bound in the dtype, rounded inwards (float32(0.1) is above 0.1); a traced bound is taken as it is."""
    if not _validate.is_concrete(bound):
        return bound.astype(dtype)
    nearest = np.asarray(bound, dtype)
    outside = float(nearest) < bound if towards > 0 else float(nearest) > bound
    return np.nextafter(nearest, np.asarray(towards, dtype)) if outside else nearest
