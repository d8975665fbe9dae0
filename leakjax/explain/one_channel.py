"""Convolutions of one channel as products with shifted images: on a CPU XLA takes several times as long for them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.explain.affine import OPENED
from leakjax.explain.jaxpr import evaluate, walk

# In a kernel, at most: for one of 7 x 7 with a stride products are slower than XLA's convolution. Nor do they gain
# where windows do not overlap, as in the embedding of patches.
PLACES = 25


def by_products(fn: Callable[[jax.Array], jax.Array], x: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """The same function; on a CPU its convolutions of one channel are sums of products.

    A grey image's 3 x 3 convolution to 16 channels takes an eighth of the time. Convolutions in loops, branches and
    functions with derivatives of their own stay as they are.

    Args:
      fn: Of one array, with one array as its output.
      x: An array of the shape and type to come.
    """
    if jax.default_backend() != "cpu":
        return fn
    closed = jax.make_jaxpr(fn)(x)

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        return [_shifted(equation, *inputs)] if _grey(equation) else evaluate(equation, inputs)

    def opens(equation: Any, inputs: list[Any]) -> bool:
        return equation.primitive.name in OPENED

    def run(x: jax.Array) -> jax.Array:
        (found,) = walk(closed.jaxpr, closed.consts, [x], visit, opens)
        return found

    return run


def _grey(equation: Any) -> bool:
    """Whether an equation is a plain convolution of one channel by a small kernel whose windows overlap."""
    if equation.primitive.name != "conv_general_dilated":
        return False
    params, (image, kernel) = equation.params, (variable.aval for variable in equation.invars)
    layout = params["dimension_numbers"]
    return (
        image.shape[layout.lhs_spec[1]] == 1
        and kernel.size // kernel.shape[layout.rhs_spec[0]] <= PLACES
        and params["feature_group_count"] == params["batch_group_count"] == 1
        and any(np.less(params["window_strides"], [kernel.shape[axis] for axis in layout.rhs_spec[2:]]))
        and set(params["lhs_dilation"]) <= {1}
        and min(map(min, params["padding"]), default=0) >= 0
        and equation.outvars[0].aval.dtype == image.dtype == jnp.float32
    )


def _shifted(equation: Any, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution's value, one product for each place in the kernel."""
    params = equation.params
    layout = params["dimension_numbers"]
    x = jnp.pad(x.transpose(layout.lhs_spec)[:, 0], ((0, 0), *params["padding"]))  # [batch, places]
    kernel = kernel.transpose(layout.rhs_spec)[:, 0]  # [out, places]
    sides = [equation.outvars[0].aval.shape[axis] for axis in layout.out_spec[2:]]
    total = jnp.zeros((), x.dtype)
    for place in np.ndindex(*kernel.shape[1:]):
        window = [
            slice(first * apart, first * apart + (side - 1) * step + 1, step)
            for first, apart, side, step in zip(
                place, params["rhs_dilation"], sides, params["window_strides"], strict=True
            )
        ]
        weights = kernel[(slice(None), *place)].reshape(*[1] * x.ndim, -1)
        total = total + x[(slice(None), *window)][..., None] * weights
    return jnp.moveaxis(total, -1, 1).transpose(np.argsort(layout.out_spec))
