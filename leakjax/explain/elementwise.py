"""The functions of one value in a network, whatever they are spelled by.

A value that elementwise operations make of one other value alone is a function of that value: an activation.
What it is made of (a maximum, a choice, a product with a comparison, a call) is of no account.
"""

from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from leakjax.explain.jaxpr import CUSTOM, Flat, bodies_of, evaluate, primitives, variables_in, walk

AFFINE = {
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "convert_element_type",
    "copy",
    "copy_p",
    "name",
    "reduce_precision",
}
UNARY = {
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "clamp", "cos", "cosh"),
    *("digamma", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "integer_pow", "lgamma"),
    *("log", "log1p", "logistic", "pow", "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "tan"),
    *("tanh", "atan2", "rem", "nextafter", "polygamma", "is_finite"),
}
COMPARISONS = {"eq", "ne", "ge", "gt", "le", "lt"}
LOGICAL = {"and", "or", "not", "xor"}
NONLINEAR = UNARY | COMPARISONS | LOGICAL | {"max", "min", "select_n"}
BOUNDS = {"max", "min", "clamp", "select_n", *COMPARISONS}
SPREADING = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims"}  # of numbers, inside a call


class Function(NamedTuple):
    """A value as an elementwise function of another.

    Attributes:
      source: The variable that it is a function of.
      equations: Those between the two, in order.
      output: The variable of the value.
    """

    source: Any
    equations: list[Any]
    output: Any

    def at(self, value: Any, known: Any) -> Any:
        """The function of a value, other variables as `known` has them."""
        here = {self.source: value}

        def look(variable: Any) -> Any:
            if isinstance(variable, jex.Literal):
                return variable.val
            return here[variable] if variable in here else known[variable]

        for equation in self.equations:
            found = evaluate(equation, [look(variable) for variable in equation.invars])
            here.update(zip(equation.outvars, found, strict=True))
        return here[self.output]


def is_elementwise(equation: Any, active: set[Any]) -> bool:
    """Whether each element of the one output depends on that element alone of the values that are active."""
    if len(equation.outvars) != 1:
        return False
    shape = equation.outvars[0].aval.shape
    taken = [v.aval for v in variables_in(equation) if v in active]
    if any(aval.shape != shape or jnp.issubdtype(aval.dtype, jnp.complexfloating) for aval in taken):
        return False
    name = equation.primitive.name
    return name in AFFINE | NONLINEAR or (name in CUSTOM and is_custom_function(equation))


def is_custom_function(equation: Any, inputs: Any = None) -> bool:
    """Whether a call with a derivative of its own is one elementwise function of one value and of numbers."""
    if equation.primitive.name not in CUSTOM or len(equation.outvars) != 1:
        return False
    shape = equation.outvars[0].aval.shape
    others = [v.aval.shape for v in equation.invars if v.aval.shape != shape]
    if any(np.prod(other) != 1 for other in others):
        return False
    if sum(v.aval.shape == shape and not isinstance(v, jex.Literal) for v in equation.invars) != 1:
        return False
    return set(primitives(bodies_of(equation)[0][0])) <= AFFINE | NONLINEAR | SPREADING | {"stop_gradient"}


def sources(program: Flat, follows: Any = None) -> dict[Any, Any]:
    """The nearest value that each value is an elementwise function of, where there is one.

    Args:
      program: The function laid out flat.
      follows: `follows(equation)`, whether a function may go on through an equation of one active value; by
        default through all.
    """
    found: dict[Any, Any] = {}
    for equation in program.equations:
        taken = list(dict.fromkeys(v for v in variables_in(equation) if v in program.active))
        if not taken or not is_elementwise(equation, program.active):
            continue
        if len(taken) == 1 and follows is not None and not follows(equation):
            continue
        nearest = _common(taken, found)
        if nearest is not None:
            found[equation.outvars[0]] = nearest
    return found


def _common(taken: list[Any], found: dict[Any, Any]) -> Any:
    """The nearest value that all of some values are functions of, counting each of itself."""

    def line(variable: Any) -> list[Any]:
        passed = [variable]
        while passed[-1] in found:
            passed.append(found[passed[-1]])
        return passed

    first, *others = (line(variable) for variable in taken)
    return next((v for v in first if all(v in other for other in others)), None)


def between(program: Flat, source: Any, output: Any, given: Any = ()) -> Function:
    """The function that leads from one value to another, some values given."""
    found: dict[int, Any] = {}
    waiting = [output]
    while waiting:
        variable = waiting.pop()
        if variable is source or variable not in program.active or variable in given:
            continue
        place, equation = program.makers[variable]
        if place not in found:
            found[place] = equation
            waiting.extend(variables_in(equation))
    return Function(source, [found[place] for place in sorted(found)], output)


def activations(program: Flat) -> dict[Any, Any]:
    """The value that each value is an activation of: the longest nonlinear function of it by numbers alone.

    What is added or multiplied before the first nonlinear operation belongs to the layer before it; so does a
    sum or product with a variable of the model, which ends a function.
    """

    nearest = sources(program, by_numbers(program))
    starts: dict[Any, Any] = {}
    for output, source in nearest.items():
        if source in starts:
            starts[output] = starts[source]
        elif not _is_affine(between(program, source, output)):
            starts[output] = source
    return starts


def by_numbers(program: Flat) -> Any:
    """`follows` of `sources` for functions that no variable of the model scales or shifts."""

    def follows(equation: Any) -> bool:
        others = [v for v in variables_in(equation) if v not in program.active]
        return equation.primitive.name not in AFFINE or all(_is_number(v, program) for v in others)

    return follows


def _is_affine(function: Function) -> bool:
    if len(function.equations) != 1:
        return False
    (equation,) = function.equations
    if equation.primitive.name not in AFFINE or len(set(variables_in(equation)) - {function.source}) > 1:
        return False
    if equation.primitive.name == "convert_element_type":
        return jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.inexact)
    if equation.primitive.name == "div" and equation.invars[0] is not function.source:
        return False
    return equation.primitive.name in ("add", "sub") or [*equation.invars].count(function.source) == 1


def _is_number(variable: Any, program: Flat) -> bool:
    """Whether a variable that does not depend on the example holds one number, known while tracing."""
    return number_of(variable, program) is not None


def number_of(variable: Any, program: Flat) -> Any:
    """The one number that a variable holds everywhere, or None where it is not known or not one."""
    value = variable.val if isinstance(variable, jex.Literal) else program.numbers.get(variable)
    if value is None or jnp.issubdtype(jnp.result_type(value), jax.dtypes.prng_key):
        return None
    held = np.asarray(value).reshape(-1)
    return held[0] if held.size and np.all(held == held[0]) else None


def probed(program: Flat, function: Function, places: np.ndarray, unknown: float | None = None) -> np.ndarray:
    """The values of an elementwise function at some places, [places], float64.

    Args:
      program: The function's program.
      function: Of values of a floating type.
      places: Where it is asked, [places].
      unknown: What stands for the numbers that are not known while tracing; by default some from 0.1 to 0.9.
    """
    rng = np.random.default_rng(0)
    known: dict[Any, Any] = {}
    for equation in function.equations:
        for variable in variables_in(equation):
            if variable not in program.active and variable not in known:
                number = number_of(variable, program)
                if number is None:
                    number = rng.uniform(0.1, 0.9) if unknown is None else unknown
                known[variable] = np.asarray(number).astype(variable.aval.dtype)

    def wide(value: Any) -> jax.Array:  # half precision would hide where a function leaves 0
        value = jnp.broadcast_to(value, places.shape)
        return value.astype(jnp.float32) if value.dtype in (jnp.float16, jnp.bfloat16) else value

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        if equation.primitive.name in SPREADING:
            return inputs[:1]
        return [wide(value) for value in evaluate(equation, [wide(value) for value in inputs])]

    with jax.ensure_compile_time_eval():
        known[function.source] = wide(
            jnp.asarray(places, jnp.promote_types(function.source.aval.dtype, jnp.float32))
        )
        for equation in function.equations:
            inputs = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
            bodies = bodies_of(equation)
            found = walk(*bodies[0], inputs, visit, lambda *_: True) if bodies else visit(equation, inputs)
            known.update(zip(equation.outvars, found, strict=True))
        return np.asarray(known[function.output], np.float64)
