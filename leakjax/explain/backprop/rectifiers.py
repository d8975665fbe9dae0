"""Guided backpropagation and deconvnet: gradients whose rectifiers hold back negative signals."""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp

from leakjax.explain.backprop.rectified import Rectifier, check_custom, is_guard, rectifier_of
from leakjax.explain.elementwise import Function, between, by_numbers, sources
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
    # A scale of the model, as that of a batch-norm, may be negative: what it makes is the layer's, and no rectifier's.
    nearest = sources(program, by_numbers(program))
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
            known[function.output] = (
                function.at(value, known)
                if rectifier is None
                else _replaced(function, known, value, rectifier, through_positive)
            )
        return program.output.val if isinstance(program.output, jex.Literal) else known[program.output]

    return run


def _replaced(
    function: Function, known: dict[Any, Any], value: jax.Array, rectifier: Rectifier, through_positive: bool
) -> jax.Array:
    """The function's value, through which only signals return that grow with what the rectifier lets through."""
    names = [
        v
        for inner in function.equations
        for v in variables_in(inner)
        if v in known and v is not function.source
    ]
    otherwise = 0.0 if through_positive else rectifier.slope
    # jax.nn.relu says itself that its slope at 0 is 0; a maximum halves what comes back where both are equal.
    settled = (
        through_positive and len(function.equations) == 1 and function.equations[0].primitive.name in CUSTOM
    )

    def call(value: jax.Array, around: list[Any]) -> jax.Array:
        return function.at(value, dict(zip(names, around, strict=True)))

    def back(kept: tuple[jax.Array, list[Any]], signal: jax.Array) -> tuple[jax.Array, None]:
        if rectifier.straight and not through_positive:
            sent = rectifier.slope * signal
        else:
            # From what is kept anyway: the slope itself would be written and read once more.
            value, around = kept
            found, pull = jax.vjp(lambda value: call(value, around), value)
            (sent,) = pull(signal)
            if not settled:
                sent = jnp.where(found != 0, sent, otherwise * signal)
        return jnp.where(rectifier.side * sent > 0, sent, jnp.zeros_like(sent)), None

    gate = jax.custom_vjp(call)
    gate.defvjp(lambda value, around: (call(value, around), (value, around)), back)
    return gate(value, [known[v] for v in names])
