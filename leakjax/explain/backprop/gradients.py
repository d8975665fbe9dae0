"""The gradient and its product with the input."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of


@registered("backpropagation", runs=1)
def gradient(logits_fn: LogitsFn, *, absolute: bool = False, output: str = "logit") -> Explainer:
    """The gradient of the explained output, one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      absolute: Whether to answer with magnitudes.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Source: Simonyan, Vedaldi, Zisserman 2014, "Deep Inside Convolutional Networks", section 3.
    """
    slope = jax.grad(scalar_of(logits_fn, output), argnums=1)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        signed = slope(variables, x, target)
        return jnp.abs(signed) if absolute else signed

    return explainer_of(logits_fn, attribute)


@registered("backpropagation", runs=1)
def input_x_gradient(logits_fn: LogitsFn, *, output: str = "logit") -> Explainer:
    """The input times the gradient of the explained output, one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Source: Shrikumar et al. 2016, "Not Just a Black Box", section 2.
    """
    slope = jax.grad(scalar_of(logits_fn, output), argnums=1)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        return x * slope(variables, x, target)

    return explainer_of(logits_fn, attribute)
