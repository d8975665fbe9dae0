"""The rules of LRP for every operation but a layer's own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.backprop.lrp_layers import Layer
from leakjax.explain.elementwise import COMPARISONS, LOGICAL, UNARY
from leakjax.explain.flows import LINEAR, Flow, Rule, Step, jvp_at_middle


def _settled(step: Step) -> Step:
    """The step with every layer that comes in passed by its rule."""

    def settle(value: Any) -> Any:
        if isinstance(value, Flow) and isinstance(value.tangent, Layer):
            return Flow(value.primals, value.tangent.settle(value.tangent, value.primals[0]))
        return value

    return step._replace(inputs=[settle(value) for value in step.inputs])


def rules_of(layer_rule: Callable[[Step], Any]) -> dict[str, Rule]:
    """The table; `layer_rule(step)` gives the rule of the next layer."""

    def settled(rule: Rule) -> Rule:
        def apply(step: Step) -> list[Any]:
            return rule(_settled(step))

        apply.__name__ = rule.__name__
        return apply

    def layer(step: Step) -> list[Any]:
        """A product or convolution with weights."""
        step = _settled(step)
        if len(step.active()) == 2:
            return halves(step)
        place = step.active()[0]
        flow, weights = step.inputs[place], step.inputs[1 - place]

        def product(values: jax.Array, weights: jax.Array) -> jax.Array:
            return step.call(*((values, weights) if place == 0 else (weights, values)))[0]

        found = Layer(product, weights, flow.primals[0], flow.tangent, 1.0, 0.0, layer_rule(step))
        return [Flow(tuple(step.at(0)), found)]

    table: dict[str, Rule] = dict.fromkeys(LINEAR, settled(jvp_at_middle))
    table |= dict.fromkeys((*UNARY, "activation"), settled(passed))
    table |= dict.fromkeys(
        (*COMPARISONS, *LOGICAL, "is_finite", "stop_gradient", "argmax", "argmin", "reduce_or", "reduce_and"),
        constant,
    )
    windows = ("reduce_window_max", "reduce_window_min", "cummax", "cummin")
    table |= dict.fromkeys(("max", "min", "reduce_max", "reduce_min", *windows), settled(winner))
    table |= dict.fromkeys(("pow", "atan2", "rem", "nextafter"), settled(pair))
    table |= dict.fromkeys(("dot_general", "conv_general_dilated"), layer)
    table |= dict.fromkeys(("add", "sub", "mul", "div"), affine)
    table |= dict.fromkeys(("reshape", "squeeze", "expand_dims", "transpose"), moved)
    table |= dict.fromkeys(("sort", "top_k"), settled(ordered))
    table |= dict.fromkeys(("cumprod", "reduce_prod"), settled(products))
    placed = ("gather", "dynamic_slice", "dynamic_update_slice", "scatter", "scatter-add", "scatter_sub")
    table |= dict.fromkeys(placed, settled(at_places))
    return table | {
        "select_n": settled(jvp_at_middle),
        "abs": settled(magnitude),
        "convert_element_type": settled(cast),
    }


def passed(step: Step) -> list[Any]:
    """An activation passes relevance on: the tangent grows by output / input, at 0 by the slope."""
    flow = step.inputs[step.active()[0]]
    into = flow.primals[0]
    if not jnp.issubdtype(into.dtype, jnp.floating):
        return constant(step)
    # Backward, because not every function that has a derivative of its own has one forward.
    here, back = jax.vjp(lambda value: step.of_active()(value)[0], into)
    if not jnp.issubdtype(here.dtype, jnp.floating):
        return [here]
    (own,) = back(jnp.ones_like(here))
    some = jnp.abs(into) > jnp.finfo(into.dtype).tiny
    return [Flow((here,), flow.tangent * jnp.where(some, here / jnp.where(some, into, 1), own))]


def magnitude(step: Step) -> list[Any]:
    """An absolute value; that of a complex number shares by the squares of its parts."""
    (flow,) = step.inputs
    if jnp.issubdtype(flow.primals[0].dtype, jnp.complexfloating):
        return jvp_at_middle(step)
    return passed(step)


def cast(step: Step) -> list[Any]:
    """A change of type; a whole number or a truth is a constant."""
    exact = jnp.issubdtype(step.at(0)[0].dtype, jnp.inexact)
    return jvp_at_middle(step) if exact else constant(step)


def pair(step: Step) -> list[Any]:
    """A function of two values, such as a power: half of the relevance to each that depends on the example."""
    active = step.active()
    if len(active) == 1:
        return passed(step)
    here = step.at(0)[0]
    tangent = 0
    for place in active:
        flow = step.inputs[place]
        into = flow.primals[0]
        some = jnp.abs(into) > jnp.finfo(into.dtype).tiny
        tangent = tangent + flow.tangent * jnp.where(some, here / jnp.where(some, into, 1), 0) / 2
    return [Flow((here,), tangent)]


def products(step: Step) -> list[Any]:
    """A running product, or one along axes: each factor the same share."""
    (flow,) = step.inputs
    (found,) = jvp_at_middle(step)
    if step.name == "cumprod":
        axis, reverse = step.params["axis"], step.params["reverse"]
        counts = jnp.cumsum(jnp.ones_like(flow.primals[0]), axis)
        factors = jnp.flip(counts, axis) if reverse else counts
    else:
        factors = flow.primals[0].size / max(1, found.primals[0].size)
    return [Flow(found.primals, found.tangent / factors)]


def ordered(step: Step) -> list[Any]:
    """Sorted values, each with its own relevance; which is which counts as a constant."""
    places, values = step.active(), [step.inputs[place].primals[0] for place in step.active()]
    tangents = [step.inputs[place].tangent for place in places]
    found, moved = jax.jvp(lambda *values: tuple(step.of_active()(*values)), values, tangents)
    return [
        Flow((value,), tangent) if jnp.issubdtype(value.dtype, jnp.floating) else value
        for value, tangent in zip(found, moved, strict=True)
    ]


def at_places(step: Step) -> list[Any]:
    """A read or write; the places count as constants."""
    floating = [
        value
        if not isinstance(value, Flow) or jnp.issubdtype(value.primals[0].dtype, jnp.inexact)
        else value.primals[0]
        for value in step.inputs
    ]
    step = step._replace(inputs=floating)
    return jvp_at_middle(step) if step.active() else constant(step)


def constant(step: Step) -> list[Any]:
    """What relevance does not follow: comparisons, stopped gradients, places."""
    return step.at(0)


def winner(step: Step) -> list[Any]:
    """A maximum or minimum: all relevance to who holds it."""
    return passed(step) if len(step.inputs) == 2 and len(step.active()) == 1 else jvp_at_middle(step)


def halves(step: Step) -> list[Any]:
    """A product of two values that depend on the example, neither of them a gate: half of the relevance to each."""
    return [Flow(flow.primals, flow.tangent / 2) for flow in jvp_at_middle(step)]


def affine(step: Step) -> list[Any]:
    """Sums, products and ratios; with a constant they become part of the layer before them."""
    active = step.active()
    flow = step.inputs[active[0]]
    here = step.at(0)[0]
    joins = isinstance(flow.tangent, Layer) and here.shape == flow.primals[0].shape
    if len(active) == 1 and joins and not (step.name == "div" and active[0] == 1):
        layer, other = flow.tangent, step.inputs[1 - active[0]]
        if step.name in ("mul", "div"):
            factor = other if step.name == "mul" else 1 / jnp.asarray(other)
            return [Flow((here,), layer._replace(scale=layer.scale * factor, offset=layer.offset * factor))]
        scale, offset = layer.scale, layer.offset
        if step.name == "sub" and active[0] == 1:
            return [Flow((here,), layer._replace(scale=-scale, offset=other - offset))]
        return [
            Flow((here,), layer._replace(offset=offset + other if step.name == "add" else offset - other))
        ]
    step = _settled(step)
    if step.name == "mul" and len(active) == 2:
        return halves(step)
    if step.name == "div" and 1 in active:
        if 0 not in active:
            return passed(step)
        below = step.inputs[1].primals[0]
        return jvp_at_middle(step._replace(inputs=[step.inputs[0], below]))
    return jvp_at_middle(step)


def moved(step: Step) -> list[Any]:
    """A change of shape, which a layer takes along."""
    flow = step.inputs[0]
    if not isinstance(flow.tangent, Layer):
        return jvp_at_middle(step)
    layer, shape = flow.tangent, flow.primals[0].shape

    def move(value: jax.Array) -> jax.Array:
        return step.call(jnp.broadcast_to(value, shape))[0]

    taken = layer._replace(
        product=lambda values, weights: move(layer.product(values, weights)),
        scale=move(layer.scale),
        offset=move(layer.offset),
    )
    return [Flow(tuple(step.at(0)), taken)]
