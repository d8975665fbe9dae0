"""Noise that claims nothing."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense, Noise
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real, text
from leakjax.defend.registry import registered
from leakjax.defend.ties import ties as ties_of


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


@registered
def cosine_noise(cosine: Number, ties: bool = False) -> Defense:
    """Adds Gaussian noise that leaves a mean cosine with the map, whatever its size.

    It carries no guarantee by itself; what follows a bound can be accounted for by `privacy_spent`.

    Args:
      cosine: of noisy and plain map, above 0, at most 1 (no noise); may be traced. It is met, to the fluctuation of the
        noise's length, by arrays as long as the largest that can enter: put normalize() before it.
      ties: whether noise keeps what the array repeats: one draw for all places of one value, none at places of 0. A
        mean over these places then takes nothing off it. No claim of privacy can rest on it.

    Returns:
      The defense. Where its stage is applied, the entering set must have an L2 bound.

    Raises:
      UsageError: if the cosine is out of range, or ties is not True or False; when it is applied, if the entering set
        has no L2 bound.
    """
    cosine = real("cosine", cosine)
    if _validate.is_concrete(cosine) and not 0 < cosine <= 1:
        raise _validate.fail("cosine", cosine, "must be above 0 and at most 1")
    if not isinstance(ties, bool):
        raise _validate.fail("ties", ties, "must be True or False")
    name = f"cosine_noise({text(cosine)}{', ties=True' if ties else ''})"

    def length(domain: Domain) -> Number:
        if _validate.is_concrete(domain.l2) and not domain.l2 < math.inf:
            raise _validate.fail("defense", name, "what enters it has no L2 bound: put normalize() before it")
        # Noise lies across the map: tan of the angle times its length.
        return (1 / cosine**2 - 1) ** 0.5 * domain.l2

    if ties:
        return _noisy_by_ties(name, Noise("ties", length))
    # A noise of standard deviation s has length s sqrt(size).
    return noisy(name, Noise("gaussian", lambda domain: length(domain) / math.sqrt(domain.size)))


def _noisy_by_ties(name: str, noise: Noise) -> Defense:
    """Adds noise of the length that `noise` has for a scale, within the pattern of the array."""

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        group, live = ties_of(jnp.ravel(attribution))
        draws = jax.random.normal(key, live.shape, attribution.dtype)[group]
        sigma = jnp.asarray(noise.scale(domain), attribution.dtype) / jnp.sqrt(jnp.maximum(live.sum(), 1))
        return attribution + jnp.where(live, sigma * draws, 0).reshape(attribution.shape)

    return Defense(name, apply, lambda domain: Domain(domain.shape), noise=noise)


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
