"""Runs a traced function once more under other rules, without a change to the function.

`walk` goes through a jaxpr, opens the calls in it (jit, custom derivatives, remat, scans) and hands every
other equation to a visitor. `multipliers` is such a visitor: next to each value that depends on the example
it carries a tangent, and a table of rules says how tangents pass an equation. The rules are linear in the
tangents, so the transpose of the whole is a backward pass with those rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.extend import source_info_util

from leakjax._validate import fail

Visit = Callable[[Any, list[Any]], list[Any]]
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
ELEMENTWISE_LINEAR = {"add", "sub", "mul", "div", "neg", "convert_element_type", "broadcast_in_dim", "copy"}
ELEMENTWISE_UNARY = {
    "abs",
    "atan",
    "cbrt",
    "ceil",
    "clamp",
    "cos",
    "cosh",
    "asinh",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "integer_pow",
    "log",
    "log1p",
    "logistic",
    "pow",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
}
COMPARISONS = {"eq", "ne", "ge", "gt", "le", "lt"}
ELEMENTWISE_NONLINEAR = ELEMENTWISE_UNARY | COMPARISONS | {"max", "min", "select_n"}


class Flow(NamedTuple):
    """A value that depends on the example.

    Attributes:
      primals: The value at the example and, where a method compares, at the baseline.
      tangent: What flows forward beside it; its transpose is what the method sends back.
    """

    primals: tuple[jax.Array, ...]
    tangent: Any


class Step(NamedTuple):
    """One equation for a rule: its name, parameters, inputs (`Flow` or constant) and its own evaluation."""

    name: str
    params: Mapping[str, Any]
    inputs: list[Any]
    call: Callable[..., list[Any]]

    def at(self, place: int) -> list[Any]:
        """The outputs at the example (0) or at the baseline (1)."""
        return self.call(
            *(value.primals[place] if isinstance(value, Flow) else value for value in self.inputs)
        )

    def active(self) -> list[int]:
        """Which inputs depend on the example."""
        return [place for place, value in enumerate(self.inputs) if isinstance(value, Flow)]

    def of_active(self) -> Callable[..., list[Any]]:
        """The evaluation as a function of the inputs that depend on the example alone."""
        places = self.active()

        def call(*values: Any) -> list[Any]:
            inputs = list(self.inputs)
            for place, value in zip(places, values, strict=True):
                inputs[place] = value
            return self.call(*inputs)

        return call


Rule = Callable[[Step], list[Any]]


class Fired(NamedTuple):
    """One line of the record of a walk: which rule fired for which primitive, and where it stands."""

    primitive: str
    rule: str
    where: str


def walk(
    jaxpr: Any,
    consts: Sequence[Any],
    args: Sequence[Any],
    visit: Visit,
    opens: Callable[[Any, list[Any]], bool],
) -> list[Any]:
    """Runs a jaxpr by a visitor.

    Args:
      jaxpr: The open jaxpr.
      consts: Values of its constants.
      args: Values of its inputs; of any kind that the visitor understands.
      visit: `visit(equation, inputs) -> outputs`.
      opens: `opens(equation, inputs)`, whether to go into a call rather than to visit it.

    Returns:
      The values of its outputs.
    """
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    known.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.eqns:
        inputs = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
        body = _body(equation)
        if body is not None and opens(equation, inputs):
            if equation.primitive.name == "scan":
                outputs = _unrolled(equation.params, body, inputs, visit, opens)
            else:
                outputs = walk(body[0], body[1], inputs, visit, opens)
        else:
            outputs = visit(equation, inputs)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [v.val if isinstance(v, jex.Literal) else known[v] for v in jaxpr.outvars]


def evaluate(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of an equation as the function itself would compute them."""
    bound = equation.primitive.get_bind_params(equation.params)
    # Before it put the functions of a call among the parameters, jax gave them apart.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    found = equation.primitive.bind(*functions, *inputs, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def _body(equation: Any) -> tuple[Any, Sequence[Any]] | None:
    """The jaxpr within a call and its constants; None for an equation that is no call."""
    name = equation.primitive.name
    if name not in CALLS and name != "scan":
        return None
    inner = equation.params[CALLS.get(name, "jaxpr")]
    return (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, ())


def _unrolled(
    params: Any, body: tuple[Any, Sequence[Any]], inputs: list[Any], visit: Visit, opens: Any
) -> list[Any]:
    """A scan as its steps in turn."""
    fixed, carried, length = params["num_consts"], params["num_carry"], params["length"]
    state = inputs[fixed : fixed + carried]
    places = range(length - 1, -1, -1) if params["reverse"] else range(length)
    rows: dict[int, list[Any]] = {}
    for place in places:
        row = [_index(value, place) for value in inputs[fixed + carried :]]
        outputs = walk(body[0], body[1], [*inputs[:fixed], *state, *row], visit, opens)
        state, rows[place] = outputs[:carried], outputs[carried:]
    return state + [
        _stacked(column) for column in zip(*(rows[place] for place in range(length)), strict=True)
    ]


def _index(value: Any, place: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[place], value)


def _stacked(column: Sequence[Any]) -> Any:
    flows = [value for value in column if isinstance(value, Flow)]
    if not flows:
        return jnp.stack(column)
    full = [
        value
        if isinstance(value, Flow)
        else Flow(tuple(value for _ in flows[0].primals), jnp.zeros_like(flows[0].tangent))
        for value in column
    ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *full)


def where_of(equation: Any) -> str:
    """The place of an equation in the user's code: file, line and function."""
    traceback = equation.source_info.traceback
    for frame in traceback.frames if traceback is not None else ():
        if "site-packages" not in frame.file_name and "leakjax/explain" not in frame.file_name:
            return f"{frame.file_name}:{frame.line_num} ({frame.function_name})"
    return source_info_util.summarize(equation.source_info)


def _primitives(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        body = _body(equation)
        if body is None:
            yield equation.primitive.name
        else:
            yield from _primitives(body[0])


def is_activation(equation: Any, inputs: Sequence[Any]) -> bool:
    """Whether a call is one activation function: elementwise, nonlinear, of one value that is no constant."""
    active = [value for value in inputs if isinstance(value, Flow)]
    others = [value for value in inputs if not isinstance(value, Flow)]
    if equation.primitive.name == "scan" or len(active) != 1 or len(equation.outvars) != 1:
        return False
    if equation.outvars[0].aval.shape != active[0].primals[0].shape or any(jnp.size(v) != 1 for v in others):
        return False
    names = set(_primitives(_body(equation)[0]))  # type: ignore[index]
    return bool(names & ELEMENTWISE_NONLINEAR) and names <= ELEMENTWISE_LINEAR | ELEMENTWISE_NONLINEAR


def multipliers(
    method: str,
    rules: Mapping[str, Rule],
    fn: Callable[[jax.Array], jax.Array],
    places: Sequence[jax.Array],
    record: list[Fired] | None = None,
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """The values of a scalar function at some places, and what the rules send back to the first.

    Args:
      method: The method's name, for the error.
      rules: A rule for each primitive, and "activation" for a call that is one activation function.
      fn: The function of an array.
      places: The example and, where the rules compare, the baseline.
      record: A list that takes a line for each rule that fired.

    Returns:
      The values, and the multipliers in the example's shape.

    Raises:
      UsageError: On a primitive without a rule, or where nothing flows from the example to the output.
    """
    closed = jax.make_jaxpr(fn)(places[0])
    place = ""  # of the equation, or of the last call where tracing kept none for what is inside

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        if not any(isinstance(value, Flow) for value in inputs):
            return evaluate(equation, inputs)
        name, at = equation.primitive.name, where_of(equation) or place
        kind = "activation" if _body(equation) is not None else name
        if kind not in rules:
            raise fail(
                "primitive",
                name,
                f"has no {method} rule, at {at}; methods that need none: gradient, input_x_gradient, "
                "integrated_gradients, smoothgrad, gradient_shap, occlusion, lime, kernel_shap",
            )
        if record is not None:
            record.append(Fired(name, rules[kind].__name__, at))
        return rules[kind](
            Step(name, equation.params, inputs, lambda *values: evaluate(equation, list(values)))
        )

    def opens(equation: Any, inputs: list[Any]) -> bool:
        nonlocal place
        place = where_of(equation) or place
        return not is_activation(equation, inputs)

    def forward(tangent: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        outputs = walk(closed.jaxpr, closed.consts, [Flow(tuple(places), tangent)], visit, opens)
        if not isinstance(outputs[0], Flow):
            raise fail("method", method, "has no rules that lead from the example to the output of logits_fn")
        return outputs[0].tangent, outputs[0].primals

    tangent, back, values = jax.vjp(forward, jnp.zeros_like(places[0]), has_aux=True)
    return values, back(jnp.ones_like(tangent))[0]


def jvp_at_middle(step: Step) -> list[Any]:
    """Linear operations, and products by their factors midway between the places: sums stay complete."""
    call = step.of_active()
    flows = [step.inputs[place] for place in step.active()]
    middle = [sum(flow.primals[1:], flow.primals[0]) / len(flow.primals) for flow in flows]
    _, tangents = jax.jvp(call, middle, [flow.tangent.astype(flow.primals[0].dtype) for flow in flows])
    values = zip(*(step.at(place) for place in range(len(flows[0].primals))), strict=True)
    return [Flow(tuple(value), tangent) for value, tangent in zip(values, tangents, strict=True)]


LINEAR = (
    *("add", "add_any", "sub", "neg", "mul", "dot_general", "conv_general_dilated", "real", "name", "copy"),
    *("reduce_sum", "reduce_window_sum", "cumsum", "reduce_precision", "convert_element_type", "tile"),
    *("reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "concatenate", "split", "pad"),
    *("rev", "stack", "unstack", "slice", "dynamic_slice", "dynamic_update_slice", "gather", "scatter-add"),
    "optimization_barrier",
)
