"""Matched filters: the likelihood ratio of a whole map, or of a vector of probabilities, at one point.

For Gaussian maps of one covariance the log-likelihood ratio is d . (a - middle), with d the difference of the mean
maps of in- and out-models: bilinear in maps, and every mean is a weighted sum of maps. So inner products of the
models' maps, which know nothing of membership, are taken once, and each pair weighs them with its own weights,
which are zero for models of unknown membership.
"""

import jax
import jax.numpy as jnp

from leakjax.attack.quartiles import quartiles
from leakjax.attack.roles import Pairs
from leakjax.attack.statistics import weights

FILTERS = ("raw", "unit_norm", "whitened")
# Of the variance that a feature is divided by when whitened, the share taken from the mean over the features.
_SHRINKAGE = 0.2
# A norm is cut where its natural logarithm is above the upper quartile by this and 1.5 interquartile ranges.
_SLACK = 0.7
_TINY = 1e-30
# Squared differences of means below this, of maps of unit norm, are rounding.
_ROUNDING = 1e-10


def tame(maps: jax.Array) -> jax.Array:
    """Maps of one point in units of their typical norm, blind to membership; outlying norms are cut.

    Args:
      maps: [models, features]; a number that is not finite counts as missing.

    Returns:
      [models, features]; what is missing becomes the mean of the other models there, and so says nothing.
    """
    finite = jnp.isfinite(maps)
    maps = jnp.where(finite, maps, 0.0)
    largest = jnp.max(jnp.abs(maps), axis=1, keepdims=True)
    positive = largest > 0
    shape = maps / jnp.where(positive, largest, 1.0)  # so that no square overflows
    length = jnp.where(positive, jnp.sqrt(jnp.sum(shape**2, axis=1, keepdims=True)), 1.0)
    log_norm = jnp.log(jnp.where(positive, largest, 1.0)) + jnp.log(length)
    low, middle, high = jnp.nan_to_num(quartiles(jnp.where(positive, log_norm, jnp.nan)))[:, None]
    cut = jnp.minimum(log_norm, high + 1.5 * (high - low) + _SLACK)
    tamed = jnp.where(positive, shape / length * jnp.exp(cut - middle), 0.0)
    mean = jnp.sum(tamed, axis=0, keepdims=True) / jnp.maximum(jnp.sum(finite, axis=0, keepdims=True), 1)
    return jnp.where(finite, tamed, mean)


def filters(maps: jax.Array, membership: jax.Array, pairs: Pairs) -> jax.Array:
    """Raw, unit-norm and whitened matched filters of every pair at one point.

    Args:
      maps: [models, features], flattened attributions or any other vector signal.
      membership: bool [models].
      pairs: who is scored.

    Returns:
      [pairs, 2 x filters]: each filter, and the same divided by the length of the difference of the means.
    """
    raw = tame(maps)
    length = jnp.sqrt(jnp.sum(raw**2, axis=1, keepdims=True))
    unit = raw / jnp.where(length > 0, length, 1.0)
    centred = raw - raw.mean(axis=0, keepdims=True)
    variance = jnp.mean(centred**2, axis=0, keepdims=True)
    scale = jnp.sqrt((1 - _SHRINKAGE) * variance + _SHRINKAGE * variance.mean() + _TINY)
    whitened = centred / scale / jnp.sqrt(raw.shape[1])

    of_in, of_out = weights(membership, pairs.known)
    mean_in = of_in / jnp.maximum(of_in.sum(axis=1, keepdims=True), 1)
    mean_out = of_out / jnp.maximum(of_out.sum(axis=1, keepdims=True), 1)
    # Without in- or without out-models nothing can be said.
    both = (of_in.sum(axis=1) > 0) & (of_out.sum(axis=1) > 0)
    difference = jnp.where(both[:, None], mean_in - mean_out, 0.0)
    middle = (mean_in + mean_out) / 2

    def matched(seen: jax.Array) -> list[jax.Array]:
        along = difference @ (seen @ seen.T)
        ratio = along[pairs.of, pairs.scored] - jnp.sum(along * middle, axis=1)[pairs.of]
        squared = jnp.sum(along * difference, axis=1)[pairs.of]
        return [ratio, jnp.where(squared > _ROUNDING, ratio / jnp.sqrt(jnp.maximum(squared, _ROUNDING)), 0.0)]

    seen = (centred, unit - unit.mean(axis=0, keepdims=True), whitened)
    return jnp.stack([part for maps in seen for part in matched(maps)], axis=-1)
