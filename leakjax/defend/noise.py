"""Noise that claims nothing."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense, Noise
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
    return noisy(f"gaussian_noise({text(sigma)})", Noise("gaussian", lambda domain: sigma))


@registered
def laplace_noise(scale: Number) -> Defense:
    """Adds independent Laplace noise to every value.

    It may follow anything and carries no guarantee: its scale is not tied to what enters it.

    Args:
      scale: mean magnitude of the noise, in the unit of the attribution, at least 0; may be traced.

    Returns:
      The defense.

    Raises:
      UsageError: if the scale is negative or not finite.
    """
    scale = real("scale", scale)
    _validate.at_least("scale", scale, 0)
    return noisy(f"laplace_noise({text(scale)})", Noise("laplace", lambda domain: scale))


_DRAWS: dict[str, Callable[..., jax.Array]] = {"gaussian": jax.random.normal, "laplace": jax.random.laplace}


def noisy(name: str, noise: Noise) -> Defense:
    """The defense that adds noise of a kind and scale; anything can come out of it.

    Args:
      name: canonical text.
      noise: of kind "gaussian" or "laplace".

    Returns:
      The defense. Samples are floating-point numbers: a claim of differential privacy on them holds for the ideal
      mechanism, of real numbers.
    """
    draw = _DRAWS[noise.kind]

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        scale = jnp.asarray(noise.scale(domain), attribution.dtype)
        return attribution + scale * draw(key, attribution.shape, attribution.dtype)

    return Defense(name, apply, lambda domain: Domain(domain.shape), noise=noise)
