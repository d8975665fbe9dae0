"""What LRP holds constant: the weights of a softmax, the norms of a normalisation, gates beside their signal.

Each is known by what it is computed from and what it is for, never by the name of a primitive alone: an exponential
or a root elsewhere is an activation.
"""

from typing import Any

import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from leakjax.explain.elementwise import AFFINE, between, number_of, probed
from leakjax.explain.flows import Held
from leakjax.explain.jaxpr import Flat, variables_in

GATES = ("signal", "half")
SHAPES = {
    "broadcast_in_dim",
    "reshape",
    "squeeze",
    "expand_dims",
    "transpose",
    "slice",
    "split",
    "concatenate",
}
SHAPES |= {
    "dynamic_slice",
    "gather",
    "stop_gradient",
    "optimization_barrier",
    "reduce_window_sum",
    "pad",
    "rev",
}
SUMS = {
    "reduce_sum",
    "reduce_max",
    "reduce_min",
    "reduce_window_sum",
    "dot_general",
    "conv_general_dilated",
    "cumsum",
}
ROOTS = {"rsqrt", "sqrt", "pow", "integer_pow", "cbrt", "div", "exp"}
PROBES = np.concatenate([-np.geomspace(1e-3, 50, 40)[::-1], [0.0], np.geomspace(1e-3, 50, 40)])


def constants(program: Flat, starts: dict[Any, Any], gates: str) -> Held:
    """Which inputs count as constants, and which shifts by a maximum, that are shifted back, as nothing."""
    found: dict[Any, set[int]] = {}
    passing: set[Any] = set()
    given: set[Any] = set()
    for equation in program.equations:
        output = equation.outvars[0]
        taken = [v for v in variables_in(equation) if v in program.active]
        name = equation.primitive.name
        if name == "exp" and _is_log_softmax(program, taken[0] if taken else None):
            found[output] = {0}
        shift = _shift(program, equation)
        if shift is not None:
            given.add(equation.invars[shift])
            value = equation.invars[1 - shift]
            if name == "sub":
                starts.update({later: value for later, start in starts.items() if start is output})
            elif value in starts:
                starts[output] = starts[value]
            else:
                found[output] = {shift}
                passing.add(output)
        if output in starts or len(set(taken)) != 2 or name not in ("mul", "div", "dot_general"):
            continue
        if name != "dot_general" and _is_softmax(program, equation.invars[0], equation.invars[1], name):
            found[output] = {0, 1}
        elif name == "mul":
            norms = {place for place in (0, 1) if _is_norm(program, equation.invars[place])}
            opens = {place for place in (0, 1) if _is_gate(program, starts, equation.invars[place])}
            held = norms or (opens if gates == "signal" else set())
            if len(held) == 1:
                found[output] = held
    return Held(found, passing, given)


def _shift(program: Flat, equation: Any) -> int | None:
    """Which operand is the maximum that is taken out before exponentials are summed, or put back after."""
    name = equation.primitive.name
    if name not in ("sub", "add") or len(equation.invars) != 2:
        return None
    for place in (1,) if name == "sub" else (0, 1):
        value, shift = equation.invars[1 - place], equation.invars[place]
        if any(isinstance(v, jex.Literal) or v not in program.active for v in (value, shift)):
            continue
        largest = _extreme(program, shift)
        if name == "sub" and largest is not None and largest.invars[0] is value:
            return place
        logarithm = _made_by(program, _behind(program, value, SHAPES | {"abs"}))[1]
        if (
            name == "add"
            and largest is not None
            and logarithm is not None
            and logarithm.primitive.name == "log"
        ):
            return place
    return None


def _extreme(program: Flat, variable: Any) -> Any:
    """The maximum that a value is, but for guards and shapes, or None."""
    waiting = [variable]
    while waiting:
        name, equation = _made_by(program, waiting.pop())
        if name == "reduce_max":
            return equation
        if name in SHAPES | {"max", "select_n"}:
            waiting.extend(v for v in variables_in(equation) if v in program.active)
    return None


def _behind(program: Flat, variable: Any, through: set[str]) -> Any:
    """The value that a variable is a reshaped, shifted or scaled copy of."""
    while not isinstance(variable, jex.Literal) and variable in program.makers:
        _, equation = program.makers[variable]
        taken = [v for v in dict.fromkeys(variables_in(equation)) if v in program.active]
        if equation.primitive.name not in through or len(taken) != 1:
            return variable
        if equation.primitive.name == "div" and equation.invars[0] is not taken[0]:
            return variable
        variable = taken[0]
    return variable


def _made_by(program: Flat, variable: Any) -> tuple[str, Any]:
    place = None if isinstance(variable, jex.Literal) else program.makers.get(variable)
    return ("", None) if place is None else (place[1].primitive.name, place[1])


def _is_softmax(program: Flat, above: Any, below: Any, name: str) -> bool:
    """Whether a ratio is that of exponentials to their sum."""
    if name == "mul":  # by the inverse of the sum, on either side
        return any(
            _is_softmax(program, a, _inverted(program, b), "div") for a, b in ((above, below), (below, above))
        )
    exponential = _behind(program, above, AFFINE)
    name, _ = _made_by(program, exponential)
    if name not in ("exp", "exp2"):
        return False
    name, summed = _made_by(program, _behind(program, below, SHAPES | AFFINE - {"dot_general"}))
    return name in ("reduce_sum", "dot_general") and any(
        _behind(program, v, SHAPES | AFFINE) is exponential for v in variables_in(summed)
    )


def _inverted(program: Flat, variable: Any) -> Any:
    """The value whose inverse a variable is, or nothing."""
    name, equation = _made_by(program, _behind(program, variable, SHAPES | AFFINE))
    if name == "div" and not isinstance(equation.invars[1], jex.Literal):
        return equation.invars[1]
    if name in ("integer_pow", "pow") and _exponent(program, equation) == -1:
        return equation.invars[0]
    return None


def _exponent(program: Flat, equation: Any) -> Any:
    if equation.primitive.name == "integer_pow":
        return equation.params["y"]
    return number_of(equation.invars[1], program)


def _is_log_softmax(program: Flat, variable: Any) -> bool:
    """Whether a value is one less the logarithm of a sum of exponentials."""
    name, equation = _made_by(program, variable)
    if name != "sub":
        return False
    _, logarithm = _made_by(program, _behind(program, equation.invars[1], SHAPES))
    while logarithm is not None and logarithm.primitive.name == "add":  # the maximum that was taken out
        logs = [_made_by(program, _behind(program, v, SHAPES)) for v in variables_in(logarithm)]
        logarithm = next((e for name, e in logs if name in ("log", "add")), None)
    if logarithm is None or logarithm.primitive.name != "log":
        return False
    name, summed = _made_by(program, _behind(program, logarithm.invars[0], SHAPES | {"abs"}))
    return name == "reduce_sum" and _made_by(program, _behind(program, summed.invars[0], AFFINE))[0] == "exp"


def _is_norm(program: Flat, variable: Any) -> bool:
    """Whether a factor is the inverse of a size that was summed over many values."""
    name, equation = _made_by(program, _behind(program, variable, SHAPES | AFFINE))
    if name not in ROOTS or name == "exp" or equation is None:
        return False
    if name in ("pow", "integer_pow"):
        exponent = _exponent(program, equation)
        if exponent is None or exponent >= 0:
            return False
    if name in ("sqrt", "cbrt"):
        return False
    below = equation.invars[1] if name == "div" else equation.invars[0]
    return not isinstance(below, jex.Literal) and below in program.active and _is_sum(program, below)


def _is_sum(program: Flat, variable: Any) -> bool:
    """Whether a value is, but for elementwise functions, a sum or an extreme over many."""
    waiting, met = [variable], set()
    while waiting:
        here = waiting.pop()
        name, equation = _made_by(program, here)
        if name in SUMS:
            return True
        if equation is None or here in met:
            continue
        met.add(here)
        if len(equation.outvars) == 1:
            waiting.extend(v for v in variables_in(equation) if v in program.active)
    return False


def _is_gate(program: Flat, starts: dict[Any, Any], variable: Any) -> bool:
    """Whether a value is an activation that lies between 0 and 1 and takes up more than one value."""
    while isinstance(variable, jex.Literal) or variable not in starts:
        name, equation = _made_by(program, variable)
        taken = [] if equation is None else [v for v in variables_in(equation) if v in program.active]
        if name not in SHAPES or len(set(taken)) != 1:
            return False
        variable = taken[0]
    function = between(program, starts[variable], variable)
    if not jnp.issubdtype(function.source.aval.dtype, jnp.floating):
        return False
    values = probed(program, function, PROBES)
    return bool(np.all((values >= 0) & (values <= 1)) and np.ptp(values) > 0.5)
