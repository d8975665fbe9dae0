"""A traced function, walked through or laid out flat, without a change to the function.

`walk` goes through a jaxpr, opens the calls in it (jit, custom derivatives, remat, scans, branches) and hands
every other equation to a visitor. `flat` traces what a walk computes once more, so that every equation of the
function stands in one list with variables of its own: a body that is called twice is there twice, a scan as its
steps, and a value is told by its variable alone.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
from jax.extend import source_info_util

Visit = Callable[[Any, list[Any]], list[Any]]
Opens = Callable[[Any, list[Any]], bool]
ARRAYS = (jax.Array, np.ndarray, jax.ShapeDtypeStruct)
CUSTOM = {
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    **CUSTOM,
}


class Flat(NamedTuple):
    """A function of an array with its calls opened.

    Attributes:
      equations: In the order in which they run.
      known: Values of the variables that no equation gives, other than the example.
      numbers: Values of those of them that tracing knows: what is computed from neither variables nor example.
      makers: The equation that gives each variable, and its place.
      example: The variable of the array.
      output: The variable, or literal, of what the function returns.
      active: The variables that depend on the example.
    """

    equations: list[Any]
    known: dict[Any, Any]
    numbers: dict[Any, Any]
    makers: dict[Any, tuple[int, Any]]
    example: Any
    output: Any
    active: set[Any]

    def users(self) -> dict[Any, list[Any]]:
        """The equations that take each variable."""
        found: dict[Any, list[Any]] = {}
        for equation in self.equations:
            for variable in variables_in(equation):
                found.setdefault(variable, []).append(equation)
        return found


def walk(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], visit: Visit, opens: Opens) -> list[Any]:
    """Runs a jaxpr by a visitor.

    Args:
      jaxpr: The open jaxpr.
      consts: Values of its constants.
      args: Values of its inputs; of any kind that the visitor understands. What goes into a scan or a branch
        that is opened must be arrays.
      visit: `visit(equation, inputs) -> outputs`.
      opens: `opens(equation, inputs)`, whether to go into a call rather than to visit it.

    Returns:
      The values of its outputs.
    """
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        inputs = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
        bodies = bodies_of(equation)
        if not bodies or not opens(equation, inputs):
            outputs = visit(equation, inputs)
        elif equation.primitive.name == "scan":
            outputs = _unrolled(equation.params, bodies[0], inputs, visit, opens)
        elif equation.primitive.name == "cond":
            cases = [walk(*body, inputs[1:], visit, opens) for body in bodies]
            outputs = [_chosen(inputs[0], values) for values in zip(*cases, strict=True)]
        else:
            outputs = walk(*bodies[0], inputs, visit, opens)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [v.val if isinstance(v, jex.Literal) else known[v] for v in jaxpr.outvars]


def flat(fn: Callable[[Any, jax.Array], Any], variables: Any, x: Any, whole: Opens) -> Flat:
    """A function laid out flat.

    Args:
      fn: Of (variables, x).
      variables: A pytree; what of it is no array stays as it is.
      x: An array, or a `jax.ShapeDtypeStruct`, of the shape and type to come.
      whole: `whole(equation, inputs)`, whether a call stays an equation.
    """
    leaves, form = jax.tree.flatten(variables)
    # As inputs the arrays have no values here, whether the caller compiles or not, so that no rule can depend on them.
    arrays = [place for place, leaf in enumerate(leaves) if isinstance(leaf, ARRAYS)]

    def of_arrays(values: list[Any], x: jax.Array) -> Any:
        filled = list(leaves)
        for place, value in zip(arrays, values, strict=True):
            filled[place] = value
        return fn(jax.tree.unflatten(form, filled), x)

    around = None  # where the last call stands, for what tracing keeps no place of

    def opens(equation: Any, inputs: list[Any]) -> bool:
        nonlocal around
        around = _users(equation.source_info.traceback) or around
        return not whole(equation, inputs)

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        if not any(isinstance(value, jax.core.Tracer) for value in inputs):
            with jax.ensure_compile_time_eval():  # so that a number can be told from what is computed
                return evaluate(equation, inputs)
        stack = source_info_util.current_name_stack() + equation.source_info.name_stack
        with source_info_util.user_context(
            _users(equation.source_info.traceback) or around, name_stack=stack
        ):
            return evaluate(equation, inputs)

    arrays_of_variables = [leaves[place] for place in arrays]
    called = jax.make_jaxpr(of_arrays)(arrays_of_variables, x)
    # Arrays that the function closes over are variables like those that it is given; single numbers are numbers.
    large = [place for place, value in enumerate(called.consts) if np.size(value) > 1]
    values = arrays_of_variables + [called.consts[place] for place in large]

    def opened(values: list[Any], x: jax.Array) -> list[Any]:
        consts = list(called.consts)
        for place, value in zip(large, values[len(arrays) :], strict=True):
            consts[place] = value
        return walk(called.jaxpr, consts, [*values[: len(arrays)], x], visit, opens)

    found = jax.make_jaxpr(opened)(values, x)
    jaxpr = found.jaxpr
    known = dict(zip(jaxpr.constvars, found.consts, strict=True))
    numbers = {variable: value for variable, value in known.items() if not isinstance(value, jax.core.Tracer)}
    known.update(zip(jaxpr.invars[:-1], values, strict=True))
    equations, same = _merged(jaxpr.eqns)
    output = (
        jaxpr.outvars[0]
        if isinstance(jaxpr.outvars[0], jex.Literal)
        else same.get(jaxpr.outvars[0], jaxpr.outvars[0])
    )
    active = {jaxpr.invars[-1]}
    for equation in equations:
        if any(variable in active for variable in variables_in(equation)):
            active.update(equation.outvars)
    makers = {v: (place, equation) for place, equation in enumerate(equations) for v in equation.outvars}
    return Flat(equations, known, numbers, makers, jaxpr.invars[-1], output, active)


def _merged(equations: Sequence[Any]) -> tuple[list[Any], dict[Any, Any]]:
    """The equations without those that compute again what another has, and the variables that stand for theirs."""
    same: dict[Any, Any] = {}
    met: dict[Any, Any] = {}
    kept = []
    for equation in equations:
        inputs = [v if isinstance(v, jex.Literal) else same.get(v, v) for v in equation.invars]
        equation = equation.replace(invars=inputs)
        of = tuple((repr(v.val), v.aval) if isinstance(v, jex.Literal) else v for v in inputs)
        form = (equation.primitive, of, tuple(sorted(equation.params.items(), key=lambda item: item[0])))
        # A tag is the name of one call, and what is called keeps the derivative that it came with.
        told = equation.primitive.name == "name" or bodies_of(equation) or equation.effects
        try:
            first = None if told else met.setdefault(form, equation)
        except TypeError:  # parameters that cannot be compared
            first = None
        if first is None or first is equation:
            kept.append(equation)
        else:
            same.update(zip(equation.outvars, first.outvars, strict=True))
    return kept, same


def evaluate(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of an equation as the function itself would compute them."""
    bound = equation.primitive.get_bind_params(equation.params)
    # Before it put the functions of a call among the parameters, jax gave them apart.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    found = equation.primitive.bind(*functions, *inputs, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def variables_in(equation: Any) -> list[Any]:
    """The variables that an equation takes, literals left out."""
    return [variable for variable in equation.invars if not isinstance(variable, jex.Literal)]


def bodies_of(equation: Any) -> list[tuple[Any, Sequence[Any]]]:
    """The jaxprs within a call that can be opened, each with its constants; none for another equation."""
    name = equation.primitive.name
    if name == "cond":
        inner = equation.params["branches"]
    elif name in CALLS or name == "scan":
        inner = (equation.params[CALLS.get(name, "jaxpr")],)
    else:
        return []
    return [(body.jaxpr, body.consts) if hasattr(body, "consts") else (body, ()) for body in inner]


def primitives(jaxpr: Any) -> Iterator[str]:
    """The names of the primitives in a jaxpr and in all that it calls."""
    for equation in jaxpr.eqns:
        bodies = bodies_of(equation)
        if not bodies:
            yield equation.primitive.name
        for body, _ in bodies:
            yield from primitives(body)


def _users(traceback: Any) -> Any:
    """A traceback that passes through the user's code, or None."""
    frames = traceback.frames if traceback is not None else ()
    own = ("site-packages", "leakjax/explain")
    return traceback if any(not any(part in frame.file_name for part in own) for frame in frames) else None


def where_of(equation: Any) -> str:
    """The place of an equation in the user's code: file, line and function."""
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback is not None else ():
        if "site-packages" not in frame.file_name and "leakjax/explain" not in frame.file_name:
            return f"{frame.file_name}:{frame.line_num} ({frame.function_name})"
    return source_info_util.summarize(equation.source_info)


def _chosen(index: Any, cases: Sequence[Any]) -> Any:
    """The value of one of the branches, all of which are computed, as in a vmap."""
    if not isinstance(index, jax.core.Tracer):
        return cases[min(max(int(index), 0), len(cases) - 1)]
    if len(cases) == 2:
        return jax.lax.select_n(index != 0, *cases)
    return jax.lax.select_n(jnp.clip(index, 0, len(cases) - 1), *cases)


def _unrolled(
    params: Any, body: tuple[Any, Sequence[Any]], inputs: list[Any], visit: Visit, opens: Opens
) -> list[Any]:
    """A scan as its steps in turn."""
    fixed, carried, length = params["num_consts"], params["num_carry"], params["length"]
    state = inputs[fixed : fixed + carried]
    places = range(length - 1, -1, -1) if params["reverse"] else range(length)
    rows: dict[int, list[Any]] = {}
    for place in places:
        row = [jax.lax.index_in_dim(value, place, keepdims=False) for value in inputs[fixed + carried :]]
        outputs = walk(*body, [*inputs[:fixed], *state, *row], visit, opens)
        state, rows[place] = outputs[:carried], outputs[carried:]
    columns = zip(*(rows[place] for place in range(length)), strict=True)
    return state + [jnp.stack(column) for column in columns]
