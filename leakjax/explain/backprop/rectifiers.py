"""Guided backpropagation and deconvnet: gradients whose rectifiers hold back negative signals."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp

from leakjax.explain.backprop.rectified import Rectifier, check_custom, is_guard, rectifier_of
from leakjax.explain.elementwise import between, sources
from leakjax.explain.jaxpr import CUSTOM, evaluate, flat, variables_in
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of


@registered("backpropagation", runs=1)
def guided_backprop(logits_fn: LogitsFn, *, output: str = "logit") -> Explainer:
    """The gradient with negative signals held back at every rectifier; one run of the model.

    A rectifier is what a function of one value does, however it is written: it is 0 on one side and leaves 0 on the
    other, as `jax.nn.relu` and `relu6`, `jnp.maximum(x, 0)`, `jnp.where(x > 0, x, 0)`, `x * (x > 0)` and
    `jnp.clip(x, 0, c)` do. A function of which a rectifier is only a part (softplus, hard swish, x + relu(x)) keeps
    its gradient, and so does a maximum with 0 that reaches only roots and divisors: a statistic's guard.

    Args:
      logits_fn: Logits [classes] of one example.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: When called, where it cannot be decided whether a function is a rectifier.

    Source: Springenberg et al. 2015, "Striving for Simplicity", section 3.4.
    """
    return _rectified(logits_fn, output, through_positive=True)


@registered("backpropagation", runs=1)
def deconvnet(logits_fn: LogitsFn, *, output: str = "logit") -> Explainer:
    """The gradient with a rectifier of the signal in place of every rectifier's slope; one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      output: What is explained.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: As for `guided_backprop`.

    Source: Zeiler, Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    return _rectified(logits_fn, output, through_positive=False)


def _rectified(logits_fn: LogitsFn, output: str, through_positive: bool) -> Explainer:
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        fn = lambda variables, place: scalar(variables, place, target)
        return jax.grad(with_rectifiers(fn, variables, x, through_positive))(x)

    return explainer_of(logits_fn, attribute)


def with_rectifiers(
    fn: Callable[[Any, jax.Array], jax.Array], variables: Any, x: jax.Array, through_positive: bool
) -> Callable[[jax.Array], jax.Array]:
    """The function of arrays like x with the derivative of every rectifier replaced.

    Args:
      fn: Of (variables, array).
      variables: Its variables.
      x: An array.
      through_positive: Whether signals return only where the rectifier is not 0, too.
    """
    program = flat(fn, variables, x, lambda equation, inputs: equation.primitive.name in CUSTOM)
    nearest = sources(program)
    steps: list[tuple[Any, Any, Any]] = []  # an equation, the function that it ends, and what that rectifies
    needed, users = {program.output}, program.users()
    for equation in reversed(program.equations):
        output = equation.outvars[0]
        if not any(variable in needed for variable in equation.outvars):
            continue
        if output not in nearest:
            check_custom(equation, program)
            steps.append((equation, None, None))
            needed.update(variables_in(equation))
            continue
        function = between(program, nearest[output], output)
        found = rectifier_of(program, function)
        steps.append((equation, function, None if found and is_guard(program, users, output) else found))
        needed.add(function.source)
        for inner in function.equations:
            needed.update(v for v in variables_in(inner) if v not in program.active)

    def run(x: jax.Array) -> jax.Array:
        known = dict(program.known)
        known[program.example] = x
        for equation, function, rectifier in reversed(steps):
            if function is None:
                inputs = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
                known.update(zip(equation.outvars, evaluate(equation, inputs), strict=True))
                continue
            value = known[function.source]
            call = lambda value, function=function: function.at(value, known)
            known[function.output] = (
                call(value) if rectifier is None else _replaced(call, value, rectifier, through_positive)
            )
        return program.output.val if isinstance(program.output, jex.Literal) else known[program.output]

    return run


def _replaced(
    call: Callable[[jax.Array], jax.Array], value: jax.Array, rectifier: Rectifier, through_positive: bool
) -> jax.Array:
    """The function's value, through which only signals return that grow with what the rectifier lets through."""
    found, back = jax.vjp(call, value)
    (slope,) = back(jnp.ones_like(found))
    otherwise = 0.0 if through_positive else rectifier.slope
    return _gate(rectifier.side, value, found, jnp.where(found != 0, slope, otherwise))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gate(side: int, value: jax.Array, found: jax.Array, slope: jax.Array) -> jax.Array:
    return found


def _gate_back(side: int, slope: jax.Array, signal: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    sent = signal * slope
    nothing = jnp.zeros_like(sent)
    return jnp.where(side * sent > 0, sent, nothing), nothing, nothing


_gate.defvjp(lambda side, value, found, slope: (found, slope), _gate_back)
