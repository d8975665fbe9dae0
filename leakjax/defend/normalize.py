"""Scaling to norm 1: what is left of a map is its direction."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.clip import LARGEST, NORMS
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, arithmetic
from leakjax.defend.length import length, slack
from leakjax.defend.registry import registered


@registered
def normalize(norm: float = 2) -> Defense:
    """Divides the array by its norm; an array of zeros stays as it is.

    Values beyond 1e36, infinite or not, count as 1e36, not-a-number as 0.

    Args:
      norm: 1, 2 or inf (the largest absolute value).

    Returns:
      The defense. Results are no longer than 1 in float64 too, by some parts in a million. It has no finite
      Lipschitz modulus: two arrays near 0 may end far apart.

    Raises:
      UsageError: if the norm is another.
    """
    if norm not in NORMS:
        raise _validate.fail("norm", norm, "must be 1, 2 or inf")
    norm = norm if norm == math.inf else int(norm)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        values = jnp.clip(jnp.nan_to_num(attribution), -LARGEST, LARGEST)
        # Relative to the largest value no norm overflows.
        largest = jnp.max(jnp.abs(values), initial=0)
        unit = values / jnp.where(largest > 0, largest, 1)
        size = length(unit, norm) * (1 + (0 if norm == math.inf else slack(values.size, values.dtype)))
        return unit / jnp.where(size > 0, size, 1)

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        # Every direction that the signs allow can come in, however small the box and the balls are.
        low, high = xp.where(domain.low < 0, -1.0, 0.0), xp.where(domain.high > 0, 1.0, 0.0)
        has_zero = (domain.low <= 0) & (domain.high >= 0)
        return dataclasses.replace(
            domain,
            low=low,
            high=high,
            l1=1.0 if norm == 1 else math.inf,
            l2=1.0 if norm == 2 else math.inf,
            exact=domain.exact & has_zero,
        )

    # An entering array is scaled into the set that can come in.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        size = jnp.maximum(jnp.abs(released), 1e-30)
        ends = jnp.where(released >= 0, domain.high, -domain.low)
        of_box = jnp.min(jnp.where(released != 0, ends / size, jnp.inf), initial=jnp.inf)
        of_balls = jnp.minimum(domain.l1 / size.sum(), domain.l2 / jnp.sqrt(jnp.sum(size**2)))
        factor = jnp.minimum(jnp.minimum(of_box, of_balls), 1.0)
        return released * factor

    return Defense(f"normalize(norm={norm})", apply, out, preimage=preimage)
