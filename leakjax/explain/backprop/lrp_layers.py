"""The layers of LRP and the rules by which they share relevance out among their inputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Layer(NamedTuple):
    """A layer not yet passed: z = scale * product(a, w) + offset, so that bias and batch-norm belong to it.

    Attributes:
      product: Linear in each of the values a and the weights w.
      weights: The layer's weights.
      values: What comes in.
      tangent: The tangent that comes in.
      scale: Factors of what follows the product, like z or a number.
      offset: What is added, like z or a number.
      settle: `settle(layer, z) -> tangent` of z, by the layer's rule.
    """

    product: Callable[[jax.Array, jax.Array], jax.Array]
    weights: jax.Array
    values: jax.Array
    tangent: jax.Array
    scale: Any
    offset: Any
    settle: Callable[["Layer", jax.Array], jax.Array]


def _away(value: jax.Array, epsilon: float) -> jax.Array:
    """`value` moved away from 0 by epsilon, and never 0."""
    least = max(epsilon, float(jnp.finfo(value.dtype).tiny))
    return value + jnp.where(value < 0, -least, least).astype(value.dtype)


def _signed(layer: Layer, values: jax.Array, positive: bool) -> jax.Array:
    """What `values` add to z through weights that raise it (`positive`) or lower it."""
    high, low = jnp.maximum(layer.weights, 0), jnp.minimum(layer.weights, 0)
    up, down = jnp.maximum(layer.scale, 0), jnp.minimum(layer.scale, 0)
    with_scale, against = (high, low) if positive else (low, high)
    return up * layer.product(values, with_scale) + down * layer.product(values, against)


def shared(layer: Layer, z: jax.Array, epsilon: float, gamma: float) -> jax.Array:
    """The epsilon rule and, with gamma, the rule that adds gamma times the positive weights."""
    tangent, total = layer.scale * layer.product(layer.tangent, layer.weights), z
    if gamma:
        tangent += gamma * _signed(layer, layer.tangent, positive=True)
        total = z + gamma * (_signed(layer, layer.values, positive=True) + jnp.maximum(layer.offset, 0))
    return tangent * z / _away(total, epsilon)


def split_by_sign(layer: Layer, z: jax.Array, epsilon: float, alpha: float, beta: float) -> jax.Array:
    """The alpha-beta rule; z-plus is alpha 1, beta 0."""
    raised, lowered = layer.values > 0, layer.values < 0

    def part(values: jax.Array, positive: bool) -> jax.Array:
        above = _signed(layer, jnp.where(raised, values, 0), positive)
        return above + _signed(layer, jnp.where(lowered, values, 0), not positive)

    high = part(layer.values, True) + jnp.maximum(layer.offset, 0)
    tangent = alpha * z / _away(high, epsilon) * part(layer.tangent, True)
    if beta:
        low = part(layer.values, False) + jnp.minimum(layer.offset, 0)
        tangent -= beta * z / _away(low, epsilon) * part(layer.tangent, False)
    return tangent
