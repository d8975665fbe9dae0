"""Layer-wise relevance propagation on any traceable function.

Relevance is carried as relevance / value, so that a rule is a modified linear map and the whole a modified
gradient; the relevance of the input is the input times what comes back.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax._validate import at_least, fail, one_of
from leakjax.explain.jaxpr import (
    COMPARISONS,
    ELEMENTWISE_UNARY,
    LINEAR,
    Fired,
    Flow,
    Rule,
    Step,
    jvp_at_middle,
    multipliers,
)
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of

LAYER_RULES = ("epsilon", "gamma", "alpha_beta", "z_plus")


class Layer(NamedTuple):
    """A layer not yet passed: z = scale * product(a, w) + offset, so that bias and batch-norm belong to it.

    Attributes:
      product: Linear in each of the values a and the weights w.
      weights: The layer's weights.
      values: What comes in.
      tangent: The tangent that comes in.
      scale: Factors of what follows the product, like z or a number.
      offset: What is added, like z or a number.
      settle: `settle(layer, z) -> tangent` of z, by the layer's rule.
    """

    product: Callable[[jax.Array, jax.Array], jax.Array]
    weights: jax.Array
    values: jax.Array
    tangent: jax.Array
    scale: Any
    offset: Any
    settle: Callable[["Layer", jax.Array], jax.Array]


@registered("backpropagation", runs=1)
def lrp(
    logits_fn: LogitsFn,
    *,
    rule: str | Sequence[str] = "epsilon",
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    alpha: float = 2.0,
    beta: float = 1.0,
    output: str = "logit",
    record: list[Fired] | None = None,
) -> Explainer:
    """Layer-wise relevance propagation, one run of the model forward and backward.

    A layer is a product or convolution with weights together with the bias and scales (batch-norm) that
    follow it. Its denominators hold the bias, which keeps its share of relevance. Activations pass relevance
    on; the winner of a maximum takes all; sums share by what each adds; a product of two values that depend
    on the example gives each half (Achtibat et al. 2024). The weights of a softmax and the norms of a layer
    norm count as constants (Ali et al. 2022).

    Args:
      logits_fn: Logits [classes] of one example.
      rule: "epsilon", "gamma", "alpha_beta" or "z_plus" for every layer, or one of them a layer, first to
        last.
      epsilon: Added to every denominator, away from 0.
      gamma: By how much the gamma rule favours positive weights.
      alpha: Weight of what raises a unit, under alpha_beta; alpha - beta must be 1.
      beta: Weight of what lowers it.
      output: Only "logit": relevance starts at the logit itself.
      record: A list that takes a line for each rule that fired, when the explainer is traced.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: On an unknown rule, rules that are not one a layer, alpha - beta other than 1, another
        output, or, when called, a primitive without a rule.

    Source: Bach et al. 2015, "On Pixel-Wise Explanations", sections 2 and 3; Montavon et al. 2019,
      "Layer-Wise Relevance Propagation: An Overview", table 1.
    """
    one_of("output", output, ("logit",))
    for name in (rule,) if isinstance(rule, str) else rule:
        one_of("rule", name, LAYER_RULES)
    at_least("epsilon", epsilon, 0)
    at_least("gamma", gamma, 0)
    if alpha - beta != 1 or beta < 0:
        raise fail("alpha, beta", (alpha, beta), "must differ by 1, with beta at least 0")
    settle_by = {
        "epsilon": lambda layer, z: _shared(layer, z, epsilon, 0.0),
        "gamma": lambda layer, z: _shared(layer, z, epsilon, gamma),
        "alpha_beta": lambda layer, z: _split(layer, z, epsilon, alpha, beta),
        "z_plus": lambda layer, z: _split(layer, z, epsilon, 1.0, 0.0),
    }
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        layers = 0

        def layer_rule() -> Callable[[Layer, jax.Array], jax.Array]:
            nonlocal layers
            layers += 1
            if isinstance(rule, str):
                return settle_by[rule]
            if layers > len(rule):
                raise fail(
                    "rule",
                    tuple(rule),
                    f"must name a rule for each layer; the model has more than {len(rule)}",
                )
            return settle_by[rule[layers - 1]]

        _, slopes = multipliers(
            "lrp", _rules(layer_rule), lambda place: scalar(variables, place, target), (x,), record
        )
        if not isinstance(rule, str) and layers < len(rule):
            raise fail("rule", tuple(rule), f"must name a rule for each layer; the model has {layers}")
        return x * slopes

    return explainer_of(logits_fn, attribute)


def _away(value: jax.Array, epsilon: float) -> jax.Array:
    """`value` moved away from 0 by epsilon, and never 0."""
    least = max(epsilon, float(jnp.finfo(value.dtype).tiny))
    return value + jnp.where(value < 0, -least, least).astype(value.dtype)


def _signed(layer: Layer, values: jax.Array, positive: bool) -> jax.Array:
    """What `values` add to z through weights that raise it (`positive`) or lower it."""
    high, low = jnp.maximum(layer.weights, 0), jnp.minimum(layer.weights, 0)
    up, down = jnp.maximum(layer.scale, 0), jnp.minimum(layer.scale, 0)
    with_scale, against = (high, low) if positive else (low, high)
    return up * layer.product(values, with_scale) + down * layer.product(values, against)


def _shared(layer: Layer, z: jax.Array, epsilon: float, gamma: float) -> jax.Array:
    """The epsilon rule and, with gamma, the rule that adds gamma times the positive weights."""
    tangent, total = layer.scale * layer.product(layer.tangent, layer.weights), z
    if gamma:
        tangent += gamma * _signed(layer, layer.tangent, positive=True)
        total = z + gamma * (_signed(layer, layer.values, positive=True) + jnp.maximum(layer.offset, 0))
    return tangent * z / _away(total, epsilon)


def _split(layer: Layer, z: jax.Array, epsilon: float, alpha: float, beta: float) -> jax.Array:
    """The alpha-beta rule; z-plus is alpha 1, beta 0."""
    raised, lowered = layer.values > 0, layer.values < 0

    def part(values: jax.Array, positive: bool) -> jax.Array:
        above = _signed(layer, jnp.where(raised, values, 0), positive)
        return above + _signed(layer, jnp.where(lowered, values, 0), not positive)

    high = part(layer.values, True) + jnp.maximum(layer.offset, 0)
    tangent = alpha * z / _away(high, epsilon) * part(layer.tangent, True)
    if beta:
        low = part(layer.values, False) + jnp.minimum(layer.offset, 0)
        tangent -= beta * z / _away(low, epsilon) * part(layer.tangent, False)
    return tangent


def _settled(step: Step) -> Step:
    """The step with every layer that comes in passed by its rule."""

    def settle(value: Any) -> Any:
        if isinstance(value, Flow) and isinstance(value.tangent, Layer):
            return Flow(value.primals, value.tangent.settle(value.tangent, value.primals[0]))
        return value

    return step._replace(inputs=[settle(value) for value in step.inputs])


def _rules(layer_rule: Callable[[], Any]) -> dict[str, Rule]:
    """The table; `layer_rule()` gives the rule of the next layer."""

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

        found = Layer(product, weights, flow.primals[0], flow.tangent, 1.0, 0.0, layer_rule())
        return [Flow(tuple(step.at(0)), found)]

    table: dict[str, Rule] = dict.fromkeys(LINEAR, settled(jvp_at_middle))
    table |= dict.fromkeys(ELEMENTWISE_UNARY, settled(passed))
    table |= dict.fromkeys((*COMPARISONS, "is_finite", "exp", "rsqrt", "sqrt", "stop_gradient"), constant)
    table |= dict.fromkeys(("max", "min", "reduce_max", "reduce_min", "reduce_window_max"), settled(winner))
    table |= dict.fromkeys(("dot_general", "conv_general_dilated"), layer)
    table |= dict.fromkeys(("add", "sub", "mul", "div"), affine)
    table |= dict.fromkeys(("reshape", "squeeze", "expand_dims", "transpose"), moved)
    return table | {"activation": settled(passed), "select_n": settled(jvp_at_middle), "log": settled(passed)}


def passed(step: Step) -> list[Any]:
    """An activation passes relevance on: the tangent grows by output / input, at 0 by the slope."""
    flow, here = step.inputs[step.active()[0]], step.at(0)[0]
    into = flow.primals[0]
    _, (own,) = jax.jvp(step.of_active(), (into,), (jnp.ones_like(into),))
    some = jnp.abs(into) > jnp.finfo(into.dtype).tiny
    return [Flow((here,), flow.tangent * jnp.where(some, here / jnp.where(some, into, 1), own))]


def constant(step: Step) -> list[Any]:
    """What relevance does not follow: comparisons, the weights of a softmax, norms, stopped gradients."""
    return step.at(0)


def winner(step: Step) -> list[Any]:
    """A maximum or minimum: all relevance to who holds it."""
    return passed(step) if len(step.inputs) == 2 and len(step.active()) == 1 else jvp_at_middle(step)


def halves(step: Step) -> list[Any]:
    """A product of two values that depend on the example: half of the relevance to each."""
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
            return constant(step)
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
