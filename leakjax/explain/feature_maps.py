"""Values inside a traced function, found by name or as maps over an example's pixels."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from leakjax._validate import fail
from leakjax.explain.axes import CONVOLUTION, Labels, axes_of, channel_axis_of, laid_out
from leakjax.explain.elementwise import is_elementwise
from leakjax.explain.jaxpr import CUSTOM, Flat, bodies_of, evaluate, primitives, where_of


def tag(activation: jax.Array, name: str) -> jax.Array:
    """`activation` itself, named in the model for `gradcam(..., layer=name)` and `at=name`."""
    return checkpoint_name(activation, name)


class FeatureMap(NamedTuple):
    """A value whose axes follow the pixels of an example.

    Attributes:
      program: The function that holds it.
      variable: The value.
      labels: Which axis of the example each of its axes follows, or None.
      channel_axis: Of the example, or None.
    """

    program: Flat
    variable: Any
    labels: Labels
    channel_axis: int | None

    def arranged(self, value: jax.Array) -> jax.Array:
        """The value as [places in the order of x's axes ..., channels]."""
        spatial = spatial_axes(len(self.program.example.aval.shape), self.channel_axis)
        order = [self.labels.index(axis) for axis in spatial]
        rest = [axis for axis in range(value.ndim) if axis not in order]
        sides = [value.shape[axis] for axis in order]
        return jnp.transpose(value, (*order, *rest)).reshape(*sides, -1)


def spatial_axes(rank: int, channel_axis: int | None) -> list[int]:
    """The axes of an example that hold places."""
    return [axis for axis in range(rank) if axis != channel_axis]


def tagged(program: Flat, name: str, argument: str) -> Any:
    """The variable of the tag of a name; "name[i]" is that of its call i.

    Raises:
      UsageError: On a tag that the model does not have, or that several calls share.
    """
    tags = [equation for equation in program.equations if equation.primitive.name == "name"]
    calls = [equation.outvars[0] for equation in tags if equation.params["name"] == name]
    if len(calls) == 1:
        return calls[0]
    if calls:
        raise fail(
            argument,
            name,
            f"is the tag of {len(calls)} calls; name one, {name}[0] to {name}[{len(calls) - 1}], in their order",
        )
    indexed = re.fullmatch(r"(.*)\[(-?\d+)\]", name)
    if indexed:
        calls = [equation.outvars[0] for equation in tags if equation.params["name"] == indexed[1]]
        place = int(indexed[2])
        if -len(calls) <= place < len(calls):
            return calls[place]
    names = ", ".join(sorted({equation.params["name"] for equation in tags}))
    raise fail(
        argument,
        name,
        f"must be a tag of the model: {names or 'it has none; name an activation by leakjax.explain.tag'}",
    )


def feature_map(
    fn: Callable[[Any, jax.Array], jax.Array],
    variables: Any,
    x: jax.Array,
    layer: str | None,
    channel_axis: int | str | None,
) -> FeatureMap | None:
    """The map of a layer, or the last of a function; None where the function does not depend on the example.

    Raises:
      UsageError: Where there is none, and where the layer is none.
    """
    program = laid_out(fn, variables, x)
    if isinstance(program.output, jex.Literal) or program.output not in program.active:
        return None
    axis = channel_axis_of(x.shape, channel_axis, program)
    labels = axes_of(program)
    spatial = set(spatial_axes(x.ndim, axis))

    def is_map(variable: Any) -> bool:
        known = labels.get(variable, ())
        shape = variable.aval.shape
        places = [label for label in known if label in spatial]
        others = [side for label, side in zip(known, shape, strict=True) if label not in spatial]
        inexact = jnp.issubdtype(variable.aval.dtype, jnp.floating)
        return inexact and sorted(places) == sorted(spatial) and sum(side > 1 for side in others) <= 1

    if layer is not None:
        chosen = tagged(program, layer, "layer")
        if not is_map(chosen):
            raise fail(
                "layer",
                layer,
                f"must be a map over x's pixels, not of shape {chosen.aval.shape}; tag one with x's places for axes",
            )
    else:
        chosen = _last_map(program, is_map)
    return FeatureMap(program, chosen, labels[chosen], axis)


def _last_map(program: Flat, is_map: Callable[[Any], bool]) -> Any:
    """The last map of the form that the last convolution, or the last product over a map, put out."""
    for equation in program.equations:
        hidden = equation.primitive.name in ("while", *CUSTOM) and any(
            v in program.active for v in equation.outvars
        )
        if hidden and CONVOLUTION in _inside(equation):
            raise fail(
                "layer",
                None,
                f"cannot look into {equation.primitive.name}, which convolves, at {where_of(equation)}; name an "
                "activation by leakjax.explain.tag",
            )
    for primitive in (CONVOLUTION, "dot_general"):
        made = [
            e.outvars[0]
            for e in program.equations
            if e.primitive.name == primitive and e.outvars[0] in program.active
        ]
        if primitive == "dot_general":
            made = [variable for variable in made if is_map(variable)]
        if not made:
            continue
        if not is_map(made[-1]):
            break
        size = math.prod(made[-1].aval.shape)
        last, form = made[-1], {made[-1]}
        for equation in program.equations:
            output = equation.outvars[0]
            moves = equation.primitive.name in ("transpose", "reshape", "squeeze", "broadcast_in_dim", "name")
            from_form = any(not isinstance(v, jex.Literal) and v in form for v in equation.invars)
            follows = from_form and (moves or is_elementwise(equation, program.active))
            if follows and is_map(output) and math.prod(output.aval.shape) == size:
                form.add(output)
                last = output
        return last
    raise fail("layer", None, "finds no map over x's pixels; name an activation by leakjax.explain.tag")


def _inside(equation: Any) -> set[str]:
    if equation.primitive.name == "while":
        return set(primitives(equation.params["body_jaxpr"].jaxpr))
    return {name for body, _ in bodies_of(equation) for name in primitives(body)}


def from_variable(
    program: Flat, variable: Any, x: jax.Array
) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
    """The value of a variable at x, and the function's output as a function of it, all else as at x."""

    def run(x: jax.Array, given: jax.Array | None) -> Any:
        known = {**program.known, program.example: x}
        for equation in program.equations:
            inputs = [v.val if isinstance(v, jex.Literal) else known[v] for v in equation.invars]
            known.update(zip(equation.outvars, evaluate(equation, inputs), strict=True))
            if variable in equation.outvars:
                if given is None:
                    return known[variable]
                known[variable] = given
        return program.output.val if isinstance(program.output, jex.Literal) else known[program.output]

    return run(x, None), lambda value: run(x, value)
