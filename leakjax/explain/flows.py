"""Runs a function once more under other rules, and sends back what they say.

Next to each value that depends on the example stands a tangent, and a table of rules says how tangents pass an
operation. The rules are linear in the tangents, so the transpose of the whole is a backward pass by those rules.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp

from leakjax._validate import fail
from leakjax.explain.elementwise import activations, between, is_custom_function
from leakjax.explain.jaxpr import evaluate, flat, variables_in, where_of

LINEAR = (
    *(
        "add",
        "add_any",
        "sub",
        "neg",
        "mul",
        "dot_general",
        "conv_general_dilated",
        "real",
        "imag",
        "complex",
    ),
    *(
        "name",
        "copy",
        "copy_p",
        "conj",
        "fft",
        "reduce_sum",
        "reduce_window_sum",
        "cumsum",
        "reduce_precision",
    ),
    *("convert_element_type", "tile", "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims"),
    *("concatenate", "split", "pad", "rev", "stack", "unstack", "slice", "dynamic_slice"),
    *("dynamic_update_slice", "gather", "scatter", "scatter-add", "scatter_sub", "optimization_barrier"),
)
PLACED = ("gather", "dynamic_slice", "dynamic_update_slice", "scatter", "scatter-add", "scatter_sub")
FREE = {
    "while": "occlusion, feature_ablation, lime, kernel_shap, shapley_sampling",
    "others": "gradient, input_x_gradient, integrated_gradients, smoothgrad, gradient_shap, occlusion, lime, "
    "kernel_shap",
}


class Flow(NamedTuple):
    """A value that depends on the example.

    Attributes:
      primals: The value at the example and, where a method compares, at the baseline.
      tangent: What flows forward beside it; its transpose is what the method sends back.
    """

    primals: tuple[jax.Array, ...]
    tangent: Any


class Step(NamedTuple):
    """One operation for a rule: its name, parameters, inputs (`Flow` or constant), its own evaluation, and the variable
    of its first output.
    """

    name: str
    params: Mapping[str, Any]
    inputs: list[Any]
    call: Callable[..., list[Any]]
    output: Any = None

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


class Held(NamedTuple):
    """What a method reads off the structure of a function before the rules run.

    Attributes:
      inputs: Which inputs of an operation, told by its first output, count as constants.
      passing: First outputs of operations that count as activations of the one value that they have.
      given: Values that count as constants inside activations.
    """

    inputs: dict[Any, set[int]]
    passing: set[Any]
    given: set[Any]


class Fired(NamedTuple):
    """One line of the record of a walk: which rule fired for which primitive, and where it stands."""

    primitive: str
    rule: str
    where: str


def multipliers(
    method: str,
    rules: Mapping[str, Rule],
    fn: Callable[[Any, jax.Array], jax.Array],
    variables: Any,
    places: Sequence[jax.Array],
    record: list[Fired] | None = None,
    held: Callable[[Any, Any], Held] | None = None,
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """The values of a scalar function at some places, and what the rules send back to the first.

    Args:
      method: The method's name, for the error.
      rules: A rule for each primitive, and "activation" for an elementwise function of one value.
      fn: The function of (variables, array).
      variables: Its variables.
      places: The example and, where the rules compare, the baseline.
      record: A list that takes a line for each rule that fired.
      held: `held(program, starts)`, where a method holds values constant; it may change where activations start.

    Returns:
      The values, and the multipliers in the example's shape; zeros where the output does not depend on it.

    Raises:
      UsageError: On a primitive without a rule, or where the rules let nothing through.
    """
    program = flat(fn, variables, places[0], is_custom_function)
    if isinstance(program.output, jex.Literal) or program.output not in program.active:
        return tuple(fn(variables, place) for place in places), jnp.zeros_like(places[0])
    starts = activations(program)
    fixed = held(program, starts) if held is not None else Held({}, set(), set())
    needed = {program.output}
    steps: list[tuple[Any, Any]] = []  # an equation, and the function that it ends, if any
    for equation in reversed(program.equations):
        if not any(variable in needed for variable in equation.outvars):
            continue
        output = equation.outvars[0]
        function = between(program, starts[output], output, fixed.given) if output in starts else None
        steps.append((equation, function))
        if function is None:
            needed.update(variables_in(equation))
            continue
        needed.add(function.source)
        for inner in function.equations:
            needed.update(v for v in variables_in(inner) if v not in program.active or v in fixed.given)
    stopped: list[Fired] = []

    def step_of(equation: Any, function: Any, known: dict[Any, Any]) -> tuple[str, Step]:
        name = equation.primitive.name
        if function is not None:
            taken = [known[function.source]]
            kind, params = "activation", {}
            around = {v: known[v] for inner in function.equations for v in variables_in(inner) if v in known}
            around = {
                v: value.primals[0] if isinstance(value, Flow) else value for v, value in around.items()
            }
            call = lambda *values: [function.at(values[0], around)]
        else:
            taken = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
            kind, params = ("activation" if equation.outvars[0] in fixed.passing else name), equation.params
            call = lambda *values: evaluate(_as_given(equation, values), list(values))
        ends = [equation] if function is None else function.equations
        for place in set().union(*(fixed.inputs.get(end.outvars[0], ()) for end in ends)):
            if isinstance(taken[place], Flow):
                taken[place] = taken[place].primals[0]
        return kind, Step(name, params, taken, call, equation.outvars[0])

    def forward(tangent: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        known = dict(program.known)
        known[program.example] = Flow(tuple(places), tangent)
        for equation, function in reversed(steps):
            kind, step = step_of(equation, function, known)
            at = where_of(equation)
            if not step.active():
                found = step.call(*step.inputs)
            else:
                if kind not in rules:
                    free = FREE.get(kind, FREE["others"])
                    raise fail(
                        "primitive", kind, f"has no {method} rule, at {at}; methods that need none: {free}"
                    )
                if record is not None:
                    record.append(Fired(step.name, rules[kind].__name__, at))
                if any(isinstance(value, Flow) and value.tangent is None for value in step.inputs):
                    raise fail(
                        "primitive",
                        kind,
                        f"has no {method} rule for places that depend on the example, at {at}",
                    )
                found = rules[kind](step)
            came = equation.invars if function is None else (function.source,)
            flowed = any(not isinstance(v, jex.Literal) and isinstance(known[v], Flow) for v in came)
            if flowed and not any(isinstance(value, Flow) for value in found):
                stopped.append(Fired(step.name, "", at))
            known.update(zip(equation.outvars, found, strict=True))
        output = known[program.output]
        if not isinstance(output, Flow):
            last = stopped[-1]
            raise fail(
                "primitive",
                last.primitive,
                f"ends what {method} follows, at {last.where}: it counts as a constant there, and nothing else "
                "leads from the example to the output; return what comes before it (logits for a softmax), "
                "or use gradient or integrated_gradients",
            )
        return output.tangent, output.primals

    tangent, back, values = jax.vjp(forward, jnp.zeros_like(places[0]), has_aux=True)
    return values, back(jnp.ones_like(tangent))[0]


def jvp_at_middle(step: Step) -> list[Any]:
    """Linear operations, and products by their factors midway between the places: sums stay complete."""
    moved = in_floats(step)
    call = moved.of_active()
    flows = [moved.inputs[place] for place in moved.active()]
    middle = [sum(flow.primals[1:], flow.primals[0]) / len(flow.primals) for flow in flows]
    pairs = zip(flows, middle, strict=True)
    _, tangents = jax.jvp(call, middle, [flow.tangent.astype(value.dtype) for flow, value in pairs])
    values = zip(*(step.at(place) for place in range(len(flows[0].primals))), strict=True)
    return [Flow(tuple(value), tangent) for value, tangent in zip(values, tangents, strict=True)]


def in_floats(step: Step) -> Step:
    """A step on whole numbers, as in a quantised network, as the same step on the floats that their tangents have."""
    whole = [
        value
        for value in step.inputs
        if isinstance(value, Flow) and not jnp.issubdtype(value.primals[0].dtype, jnp.inexact)
    ]
    if not whole:
        return step
    dtype, places = whole[0].tangent.dtype, step.name in PLACED  # constants there say where, not how much

    def as_float(value: Any) -> Any:
        if isinstance(value, Flow):
            return Flow(tuple(primal.astype(dtype) for primal in value.primals), value.tangent.astype(dtype))
        return value if places else jnp.asarray(value, dtype)

    return step._replace(inputs=[as_float(value) for value in step.inputs])


def _as_given(equation: Any, values: Sequence[Any]) -> Any:
    """An equation whose product of whole numbers is one of floats where it is given floats."""
    wanted = equation.params.get("preferred_element_type")
    given = any(jnp.issubdtype(jnp.result_type(value), jnp.inexact) for value in values)
    if wanted is None or jnp.issubdtype(wanted, jnp.inexact) or not given:
        return equation
    return equation.replace(params={**equation.params, "preferred_element_type": None})
