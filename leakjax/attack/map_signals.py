"""Scalar signals of attribution maps: norms, sums, concentration and roughness."""

import jax
import jax.numpy as jnp

MAP_SIGNALS = (
    "log_l1",
    "log_l2",
    "log_linf",
    "log_variance",
    "sum",
    "sum_over_norm",
    "directional",
    "directional_over_norm",
    "hoyer",
    "entropy",
    "largest_share",
    "top_share",
    "log_total_variation",
)
# Of these, what a map says of the output that it explains.
SUMS = ("sum", "sum_over_norm", "directional", "directional_over_norm")
# The share of the features among the top ones.
_TOP = 0.1
_LEAST = 1e-12


def map_signals(maps: jax.Array, x: jax.Array) -> jax.Array:
    """The signals of many maps of the same points, in the order of `MAP_SIGNALS`.

    A gradient's product with the input is the slope of the output along x; the sum of a complete attribution is a
    difference of outputs, so the sums say what the output says, and more.

    Args:
      maps: [models, points, ...].
      x: [points, ...], the explained inputs.

    Returns:
      [models, points, signals]. Of a map of zeros only the two sums are defined (they are 0), the others are NaN, as
      all are of a map that is not finite. The directional signals are NaN where the map has another shape than x.
    """
    models, points = maps.shape[:2]
    flat = maps.reshape(models, points, -1)
    features = flat.shape[-1]
    largest = jnp.max(jnp.abs(flat), axis=-1)
    shape = flat / jnp.where(largest > 0, largest, 1.0)[..., None]  # so that no square overflows
    size = jnp.abs(shape)
    l1, l2 = jnp.sum(size, axis=-1), jnp.sqrt(jnp.sum(shape**2, axis=-1))
    share = size / jnp.maximum(l1, _LEAST)[..., None]
    count = max(1, int(_TOP * features))
    top = jax.lax.top_k(share.reshape(-1, features), count)[0].reshape(models, points, count)
    if maps.shape[1:] == x.shape:
        along = jnp.einsum("mpf,pf->mp", shape, x.reshape(points, -1))
    else:
        along = jnp.full_like(l1, jnp.nan)
    log = lambda value: jnp.log(value) + jnp.log(largest)  # minus infinity, and so missing, where it is 0
    total = jnp.sum(shape, axis=-1)
    norm = jnp.maximum(l2, _LEAST)
    concentration = [
        jnp.sqrt(features) - l1 / norm,
        -jnp.sum(share * jnp.log(share + _LEAST), axis=-1),
        top[..., 0],
        top.sum(axis=-1),
    ]
    spread = jnp.var(shape, axis=-1)
    found = [
        log(l1),
        log(l2),
        jnp.log(largest),
        jnp.log(spread) + 2 * jnp.log(largest),
        total * largest,
        total / norm,
        along * largest,
        along / norm,
        *(jnp.where(largest > 0, value, jnp.nan) for value in concentration),
        log(_total_variation(shape.reshape(maps.shape))),
    ]
    return jnp.stack(found, axis=-1)


def signed_signals(signals: jax.Array, correct: jax.Array) -> jax.Array:
    """What a map's size says beside whether the label is right: a likeness of the log-odds of the true class.

    The gradient of a probability is short where the model is sure, right or wrong; with the sign of the label, how far
    its norm lies below the largest of all models at this point tells one from the other.

    Args:
      signals: [models, points, signals], from `map_signals`.
      correct: bool [models, points].

    Returns:
      [models, points, 2], from the L2 norm and from the largest magnitude.
    """
    norms = signals[..., 1:3]
    finite = jnp.isfinite(norms)
    longest = jnp.max(jnp.where(finite, norms, -jnp.inf), axis=0, keepdims=True)
    below = jnp.where(finite, longest - norms, jnp.nan)
    return jnp.where(correct[..., None], below, -below)


def _total_variation(maps: jax.Array) -> jax.Array:
    """The sum of absolute differences of neighbours, of images along height and width: [models, points]."""
    if maps.ndim == 3:
        return jnp.abs(jnp.diff(maps)).sum(axis=-1)
    height, width = maps.shape[2:4]
    # Neighbours lie a fixed step apart in memory: so these are sums of long rows, where axes of the map are short.
    lines = maps.reshape(*maps.shape[:2], height, -1)
    flat = lines.reshape(*maps.shape[:2], -1)
    line, pixel = lines.shape[-1], lines.shape[-1] // width
    below = jnp.abs(flat[..., line:] - flat[..., :-line]).sum(axis=-1)
    beside = jnp.abs(lines[..., pixel:] - lines[..., :-pixel]).sum(axis=(-2, -1))
    return below + beside
