"""Noise that claims nothing."""

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered


@registered
def gaussian_noise(sigma: Number) -> Defense:
    """Adds independent Gaussian noise to every value.

    It may follow anything and carries no guarantee: its scale is not tied to what enters it.

    Args:
      sigma: standard deviation, in the unit of the attribution, at least 0; may be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if sigma is negative or not finite.
    """
    sigma = real("sigma", sigma)
    _validate.at_least("sigma", sigma, 0)

    def apply(attribution: jax.Array, domain: Domain, *, key: jax.Array) -> jax.Array:
        scale = jnp.asarray(sigma, attribution.dtype)
        return attribution + scale * jax.random.normal(key, attribution.shape, attribution.dtype)

    return Defense(f"gaussian_noise({text(sigma)})", apply, lambda domain: Domain(domain.shape), noise=True)
