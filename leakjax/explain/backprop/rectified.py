"""Which elementwise functions of a network rectify: told by their values, not by how they are written."""

from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from leakjax._validate import fail
from leakjax.explain.elementwise import BOUNDS, Function, between, is_elementwise, number_of, probed, sources
from leakjax.explain.jaxpr import CUSTOM, Flat, bodies_of, flat, primitives, variables_in, where_of

BENT = {*BOUNDS, "abs", "sign", "sqrt"}  # without any of these a function is smooth
FAR = np.geomspace(1e-4, 1e3, 120)
PROBES = np.concatenate([-FAR[::-1], [0.0], FAR])
SHAPES = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "concatenate"}


class Rectifier(NamedTuple):
    """What an elementwise function is that is 0 on one side of some number and leaves 0 on the other.

    Attributes:
      side: 1 where it is 0 below that number, -1 where it is 0 above.
      slope: With which it leaves 0.
      straight: Whether it keeps that slope.
    """

    side: int
    slope: float
    straight: bool


def rectifier_of(program: Flat, function: Function) -> Rectifier | None:
    """What an elementwise function rectifies, or nothing.

    Raises:
      UsageError: Where that depends on numbers that tracing does not know, or where the function is 0 on one side but
        does not leave 0 as a rectifier does.
    """
    names = {name for equation in function.equations for name in _names(equation)}
    dtypes = (function.source.aval.dtype, function.output.aval.dtype)
    if not names & BENT or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        return None
    bounds = [
        v
        for equation in function.equations
        if equation.primitive.name in BOUNDS
        for v in variables_in(equation)
        if v not in program.active and number_of(v, program) is None and v.aval.dtype != bool
    ]
    found = _judged(program, function, None)
    if bounds and (found is None) != (_judged(program, function, 0.0) is None):
        raise _undecided(function, "is a rectifier or not by numbers that are not known before it runs")
    return found


def _names(equation: Any) -> set[str]:
    bodies = bodies_of(equation)
    return set(primitives(bodies[0][0])) if bodies else {equation.primitive.name}


def _judged(program: Flat, function: Function, unknown: float | None) -> Rectifier | None:
    for side in (1, -1):
        edge = _edge(program, function, side, unknown)
        if edge is None:
            continue
        places, values = edge
        if abs(values[0]) > 4 * abs(values[1] - values[0]):
            raise _undecided(function, "is 0 on one side and jumps from it")
        if _edge(program, function, -side, unknown) is not None:
            raise _undecided(function, "is 0 on both sides of where it is not")
        slope = float((values[1] - values[0]) / (places[1] - places[0]))
        line = np.where(side * (PROBES - places[0]) > 0, slope * (PROBES - places[0]), 0)
        straight = np.allclose(probed(program, function, PROBES, unknown), line, rtol=1e-3, atol=1e-6)
        return Rectifier(side, slope, straight)
    return None


def _edge(program: Flat, function: Function, side: int, unknown: float | None) -> Any:
    """The first two places after an end on which the function is 0, and its values there; None where it is not."""

    def asked(places: np.ndarray) -> tuple[int, np.ndarray]:
        values = probed(program, function, places, unknown)
        rises = np.flatnonzero(values != 0)
        return (int(rises[0]) if len(rises) else 0), values

    places = side * PROBES
    first, values = asked(places)
    beyond = values[first:]
    # Nowhere 0 at that end, no slope anywhere, or a sign that changes, as that of hard swish.
    if first == 0 or len(np.unique(beyond)) == 1 or (beyond.min() < 0 < beyond.max()):
        return None
    for _ in range(2):
        places = np.linspace(places[first - 1], places[first], len(PROBES))
        first, values = asked(places)
        if first == 0:
            return None
    first = min(first, len(places) - 2)
    found = values[first : first + 2]
    underflows = (
        abs(found[0])
        < float(jnp.finfo(jnp.promote_types(function.source.aval.dtype, jnp.float32)).tiny) ** 0.9
    )
    return None if underflows else (places[first : first + 2], found)


def _undecided(function: Function, why: str) -> Exception:
    equation = function.equations[-1]
    name = equation.primitive.name
    return fail(
        "activation",
        name,
        f"{why}, at {where_of(equation)}; write a rectifier as jax.nn.relu, or use gradient or deeplift",
    )


def is_guard(program: Flat, users: dict[Any, list[Any]], output: Any) -> bool:
    """Whether a value reaches only roots and divisors, as a variance does that is kept from falling below 0."""
    waiting, ends = [output], 0
    while waiting:
        variable = waiting.pop()
        if variable is program.output:
            return False
        for equation in users.get(variable, ()):
            name = equation.primitive.name
            power = name in ("pow", "integer_pow") and equation.invars[0] is variable
            if (
                name in ("rsqrt", "sqrt")
                or (power and _is_root(program, equation))
                or (name == "div" and equation.invars[0] is not variable)
            ):
                ends += 1
            elif name in SHAPES or (
                is_elementwise(equation, program.active) and _takes_one(program, equation)
            ):
                waiting.append(equation.outvars[0])
            else:
                return False
    return ends > 0


def _takes_one(program: Flat, equation: Any) -> bool:
    return len({v for v in variables_in(equation) if v in program.active}) == 1


def _is_root(program: Flat, equation: Any) -> bool:
    if equation.primitive.name == "integer_pow":
        return equation.params["y"] < 0
    exponent = number_of(equation.invars[1], program)
    return exponent is not None and exponent < 1


def check_custom(equation: Any, program: Flat) -> None:
    """Raises UsageError where a call with a derivative of its own, which stays whole, holds a rectifier."""
    if equation.primitive.name not in CUSTOM:
        return
    ((jaxpr, consts),) = bodies_of(equation)
    for place, variable in enumerate(equation.invars):
        if isinstance(variable, jex.Literal) or variable not in program.active:
            continue
        others = [
            v.val if isinstance(v, jex.Literal) else jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype)
            for v in equation.invars
        ]

        def body(others: list[Any], value: jax.Array, place: int = place) -> Any:
            inputs = [value if i == place else other for i, other in enumerate(others)]
            return jax.core.eval_jaxpr(jaxpr, consts, *inputs)[0]

        inner = flat(body, others, others[place], lambda *_: False)
        for output, source in sources(inner).items():
            if rectifier_of(inner, between(inner, source, output)) is not None:
                raise fail(
                    "activation",
                    equation.params.get("name", equation.primitive.name),
                    f"has a derivative of its own and a rectifier inside, at {where_of(equation)}; give the "
                    "rectifier alone a derivative, or use gradient",
                )
