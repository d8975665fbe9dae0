"""Guided backpropagation and deconvnet: gradients whose rectifiers hold back negative signals."""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from leakjax.explain.jaxpr import evaluate, walk
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of

Rectifier = Callable[[jax.Array], jax.Array]


@jax.custom_vjp
def guided_relu(x: jax.Array) -> jax.Array:
    """max(x, 0), through which only positive signals to positive inputs return."""
    return jnp.maximum(x, 0)


guided_relu.defvjp(
    lambda x: (jnp.maximum(x, 0), x), lambda x, signal: (jnp.where(x > 0, jnp.maximum(signal, 0), 0),)
)


@jax.custom_vjp
def deconvnet_relu(x: jax.Array) -> jax.Array:
    """max(x, 0), through which positive signals return whatever the input was."""
    return jnp.maximum(x, 0)


deconvnet_relu.defvjp(lambda x: (jnp.maximum(x, 0), None), lambda _, signal: (jnp.maximum(signal, 0),))


@registered("backpropagation", runs=1)
def guided_backprop(logits_fn: LogitsFn, *, output: str = "logit") -> Explainer:
    """The gradient with negative signals held back at every rectifier; one run of the model.

    A rectifier is a maximum with 0, however it is written: `jax.nn.relu`, `jnp.maximum(x, 0)`, or
    `jnp.where(x > 0, x, 0)`. Other activations keep their gradient.

    Args:
      logits_fn: Logits [classes] of one example.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Source: Springenberg et al. 2015, "Striving for Simplicity", section 3.4.
    """
    return _rectified(logits_fn, output, guided_relu)


@registered("backpropagation", runs=1)
def deconvnet(logits_fn: LogitsFn, *, output: str = "logit") -> Explainer:
    """The gradient with a rectifier of the signal in place of every rectifier's slope; one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Source: Zeiler, Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    return _rectified(logits_fn, output, deconvnet_relu)


def _rectified(logits_fn: LogitsFn, output: str, rectifier: Rectifier) -> Explainer:
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        return jax.grad(with_rectifier(lambda place: scalar(variables, place, target), rectifier, x))(x)

    return explainer_of(logits_fn, attribute)


def with_rectifier(fn: Callable[[jax.Array], jax.Array], rectifier: Rectifier, x: jax.Array) -> Rectifier:
    """The function of arrays like x with every rectifier replaced."""
    closed = jax.make_jaxpr(fn)(x)
    signs: list[tuple[Any, Any]] = []  # comparisons with 0, each with what it compares

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        name = equation.primitive.name
        if not any(isinstance(value, jax.core.Tracer) for value in inputs):
            with jax.ensure_compile_time_eval():  # so that a zero can be told when it is met
                return evaluate(equation, inputs)
        if name == "max" and any(_is_zero(value) for value in inputs):
            return [rectifier(inputs[1] if _is_zero(inputs[0]) else inputs[0])]
        if name == "select_n" and _is_zero(inputs[1]):
            for truth, compared in signs:
                if truth is inputs[0] and compared is inputs[2]:
                    return [rectifier(compared)]
        found = evaluate(equation, inputs)
        if name in ("gt", "ge") and _is_zero(inputs[1]):
            signs.append((found[0], inputs[0]))
        return found

    return lambda value: walk(closed.jaxpr, closed.consts, [value], visit, _opens)[0]


def _is_zero(value: Any) -> bool:
    return not isinstance(value, jax.core.Tracer) and not np.any(np.asarray(value))


def _opens(equation: Any, inputs: list[Any]) -> bool:
    """Whether to look for rectifiers in a call: a custom derivative stays whole unless it is a rectifier."""
    name = equation.primitive.name
    if name == "custom_jvp_call":
        return _is_relu(equation.params["call_jaxpr"].jaxpr)
    return name not in ("custom_vjp_call", "custom_vjp_call_jaxpr")


def _is_relu(jaxpr: Any) -> bool:
    """Whether a jaxpr is max(x, 0) and nothing else."""
    if len(jaxpr.eqns) != 1:
        return False
    (equation,) = jaxpr.eqns
    if equation.primitive.name in ("jit", "pjit"):
        return _is_relu(equation.params["jaxpr"].jaxpr)
    literals = [v.val for v in equation.invars if isinstance(v, jex.Literal)]
    return equation.primitive.name == "max" and any(_is_zero(value) for value in literals)
