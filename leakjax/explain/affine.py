"""The affine start of a model: what it does to an example before its first nonlinear operation.

An affine map takes a mixture of inputs to the same mixture of their images. Methods that run a model at many
mixtures of a few inputs therefore need the first layer of those few alone, and mix what comes out of it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax.explain.flows import LINEAR
from leakjax.explain.jaxpr import evaluate, walk

OPENED = {"jit", "pjit", "closed_call", "core_call"}  # others change how what they hold is differentiated
PRODUCTS = {"mul", "dot_general", "conv_general_dilated"}  # affine in one factor
FIRST_ALONE = {"div", "gather", "dynamic_slice"}  # affine in their first operand
INEXACT = {"reduce_precision"}
AFFINE = {*LINEAR, "div", "select_n"} - INEXACT


class Split(NamedTuple):
    """A function as `rest(start(x))`.

    Attributes:
      start: `start(x) -> [images]`, affine.
      rest: `rest([images]) -> output`.
      images: How many numbers the images hold.
      multiplications: Of the matrix products and convolutions in the start, for one x.
    """

    start: Callable[[jax.Array], list[jax.Array]]
    rest: Callable[[Sequence[jax.Array]], jax.Array]
    images: int
    multiplications: int


class _Value:
    """A value that depends on x: affine in it, or not."""

    def __init__(self, affine: bool, size: int):
        self.affine, self.size = affine, size


def split(fn: Callable[[jax.Array], jax.Array], x: jax.Array) -> Split:
    """Splits a traceable function of an array after its affine start.

    Args:
      fn: Of an array of a floating type, with one array as its output.
      x: An array of the shape and type to come.

    Returns:
      The two parts; a function that is nonlinear from the beginning has a start that returns x itself.
    """
    closed = jax.make_jaxpr(fn)(x)
    root = _Value(True, x.size)
    start: list[tuple[Any, list[Any], list[_Value]]] = []
    rest: list[tuple[Any, list[Any], list[_Value]]] = []
    images: dict[_Value, None] = {}  # in order

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        if not any(isinstance(value, _Value) for value in inputs):
            return evaluate(equation, inputs)
        affine = _affine(equation, inputs)
        outputs = [_Value(affine, math.prod(v.aval.shape)) for v in equation.outvars]
        (start if affine else rest).append((equation, inputs, outputs))
        if not affine:
            images.update((v, None) for v in inputs if isinstance(v, _Value) and v.affine)
        return outputs

    def opens(equation: Any, inputs: list[Any]) -> bool:
        return equation.primitive.name in OPENED and any(isinstance(v, _Value) and v.affine for v in inputs)

    (output,) = walk(closed.jaxpr, closed.consts, [root], visit, opens)
    if isinstance(output, _Value) and output.affine:
        images[output] = None

    def run(steps: list[tuple[Any, list[Any], list[_Value]]], known: dict[_Value, Any]) -> dict[_Value, Any]:
        for equation, inputs, outputs in steps:
            values = [known[value] if isinstance(value, _Value) else value for value in inputs]
            known.update(zip(outputs, evaluate(equation, values), strict=True))
        return known

    def start_of(x: jax.Array) -> list[jax.Array]:
        known = run(start, {root: x})
        return [known[image] for image in images]

    def rest_of(values: Sequence[jax.Array]) -> jax.Array:
        known = run(rest, dict(zip(images, values, strict=True)))
        return known[output] if isinstance(output, _Value) else output

    sizes = sum(image.size for image in images)
    return Split(start_of, rest_of, sizes, sum(_multiplications(equation) for equation, _, _ in start))


def mixture(parts: Sequence[jax.Array], shares: jax.Array) -> list[jax.Array]:
    """The images of a mixture of inputs, from its shares [count] and the images [count, ...] of each input."""
    return [jnp.tensordot(shares.astype(part.dtype), part, 1, precision="highest") for part in parts]


def _affine(equation: Any, inputs: list[Any]) -> bool:
    """Whether an equation keeps affine values affine, without a loss of precision."""
    name = equation.primitive.name
    active = [place for place, value in enumerate(inputs) if isinstance(value, _Value)]
    if name not in AFFINE or not all(inputs[place].affine for place in active):
        return False
    if name in PRODUCTS and len(active) != 1:
        return False
    if name in FIRST_ALONE and active != [0]:
        return False
    if name == "select_n" and 0 in active:
        return False
    taken = equation.outvars[0].aval.dtype
    widened = all(jnp.promote_types(equation.invars[place].aval.dtype, taken) == taken for place in active)
    return widened and jnp.issubdtype(taken, jnp.floating)


def _multiplications(equation: Any) -> int:
    """How many multiplications a matrix product or a convolution takes; of others, none that count."""
    output = math.prod(equation.outvars[0].aval.shape)
    if equation.primitive.name == "dot_general":
        contracted = equation.params["dimension_numbers"][0][0]
        return output * math.prod(equation.invars[0].aval.shape[axis] for axis in contracted)
    if equation.primitive.name == "conv_general_dilated":
        kernel, layout = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec
        return output * math.prod(kernel) // kernel[layout[0]]
    return 0
