"""An attacker who knows how a map is hardened: a linear filter that takes its noise off before the attack reads it.

Shadows' maps can be hardened as often as one likes, with noise and without. Around the mean of all models' maps at a
point, the filter is the regression of the ones without on the ones with: the Wiener filter, of the noise as it is.
"""

import math

import jax
import jax.numpy as jnp

from leakjax.auditing.explanations import Then
from leakjax.defend import Defense, chain
from leakjax.defend.defense import stages
from leakjax.hardening.world import World, released

# Noise is drawn until there are so many maps a feature.
_MAPS_PER_FEATURE = 16
# Added to the covariance of released maps, of its mean over the features: some may never vary.
_RIDGE = 1e-6


def denoiser(shadows: World, defense: Defense) -> Then:
    """Learns what takes the noise off the maps that a defense releases.

    Args:
      shadows: explanations of models that are not attacked, at least two, at some points.
      defense: one that draws noise.

    Returns:
      (released maps [models, points, ...], ids) -> the guess of the same maps without noise; one that is not finite
      stays so, and does not count in the mean of the models at its point.
    """
    quiet = _centred(released(shadows, chain(*(stage for stage in stages(defense) if stage.noise is None))))
    draws = math.ceil(_MAPS_PER_FEATURE * quiet.shape[1] / len(quiet))
    within = jnp.zeros((quiet.shape[1],) * 2)
    across = within
    for draw in range(draws):
        shown = _centred(released(shadows._replace(key=jax.random.fold_in(shadows.key, draw)), defense))
        within, across = within + shown.T @ shown, across + shown.T @ quiet
    ridge = jnp.eye(len(within)) * jnp.trace(within) / len(within)
    weights = jnp.linalg.solve(within + _RIDGE * ridge, across)

    def then(maps: jax.Array, ids: jax.Array) -> jax.Array:
        flat = maps.reshape(*maps.shape[:2], -1)
        middle = jnp.nanmean(flat, axis=0, keepdims=True)
        return (middle + (flat - middle) @ weights).reshape(maps.shape)

    return then


def _centred(maps: jax.Array) -> jax.Array:
    """Maps [models, points, ...] less their mean over the models, [models x points, features]."""
    return (maps - maps.mean(axis=0, keepdims=True)).reshape(-1, math.prod(maps.shape[2:]))
