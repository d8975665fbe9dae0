"""The layers of LRP and the rules by which they share relevance out among their inputs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp

from leakjax.explain.jaxpr import Flat, evaluate, variables_in

LAYERS = {"dot_general": "dense", "conv_general_dilated": "convolution"}
MOVES = {
    "reshape",
    "transpose",
    "squeeze",
    "expand_dims",
    "broadcast_in_dim",
    "pad",
    "slice",
    "rev",
    "copy",
    "name",
}
TINY = 1e-12


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


def boxed(layer: Layer, z: jax.Array, epsilon: float, low: jax.Array, high: jax.Array) -> jax.Array:
    """The z-box rule of a layer whose inputs lie between `low` and `high`, arrays like its values."""
    share = layer.tangent / off_zero(layer.values)
    box = (low, True), (high, False)
    above = layer.scale * layer.product(layer.tangent, layer.weights)
    above -= sum(_signed(layer, bound * share, positive) for bound, positive in box)
    total = z - sum(_signed(layer, bound, positive) for bound, positive in box)
    return above * z / _away(total, epsilon)


def off_zero(x: jax.Array) -> jax.Array:
    """An example with a tiny number in place of 0: its product with what comes back holds relevance at 0, too."""
    return jnp.where(jnp.abs(x) < TINY, jnp.asarray(TINY, x.dtype), x)


def first_layers(program: Flat, low: jax.Array, high: jax.Array) -> dict[Any, Any]:
    """The layers before which there is none, by their outputs.

    Args:
      program: The model.
      low: The least values that the example may have, in its shape.
      high: The largest.

    Returns:
      For each layer the bounds of what comes in, (low, high); where more than moves and paddings come before, the name
      of what does.
    """
    bounds = {program.example: (low, high)}
    changed: dict[Any, str] = {}
    found: dict[Any, Any] = {}
    for equation in program.equations:
        taken = [v for v in variables_in(equation) if v in bounds or v in changed]
        if not taken:
            continue
        name, output = equation.primitive.name, equation.outvars[0]
        if name in LAYERS and len(taken) == 1:
            found[output] = changed[taken[0]] if taken[0] in changed else bounds[taken[0]]
            continue
        given = [v for v in variables_in(equation) if v not in bounds]
        if name in MOVES and all(v in program.known for v in given):
            ends = (
                evaluate(equation, [_end(v, program, bounds, i) for v in equation.invars]) for i in (0, 1)
            )
            bounds.update(zip(equation.outvars, zip(*ends, strict=True), strict=True))
        else:
            before = next((changed[v] for v in taken if v in changed), name)
            changed.update(dict.fromkeys(equation.outvars, before))
    return found


def _end(variable: Any, program: Flat, bounds: dict[Any, tuple[jax.Array, jax.Array]], place: int) -> Any:
    if isinstance(variable, jex.Literal):
        return variable.val
    return bounds[variable][place] if variable in bounds else program.known[variable]
