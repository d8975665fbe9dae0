"""DeepLIFT's rescale rule on any traceable function."""

from typing import Any

import jax
import jax.numpy as jnp

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
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, filled, scalar_of

CLOSE = 4  # in units of the last place: nearer values have no slope between them but their own


@registered("backpropagation", runs=2)
def deeplift(
    logits_fn: LogitsFn, *, baseline: Any = 0.0, output: str = "logit", record: list[Fired] | None = None
) -> Explainer:
    """DeepLIFT with the rescale rule: two runs of the model, one of them backward too.

    An activation passes on the slope of the line between its values at the example and at the baseline, a
    maximum pays the positions that hold it, and a product takes its other factor midway, so that attributions
    sum to f(x) - f(baseline) exactly, up to rounding.

    Args:
      logits_fn: Logits [classes] of one example.
      baseline: What the example is compared with: a number, or an array of x's shape.
      output: What is explained.
      record: A list that takes a line for each rule that fired, when the explainer is traced.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: When called, on a primitive without a rule.

    Source: Shrikumar, Greenside, Kundaje 2017, "Learning Important Features Through Propagating Activation
      Differences", sections 3.1 to 3.5.
    """
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        start = filled("baseline", baseline, x)
        _, slopes = multipliers(
            "deeplift", RULES, lambda place: scalar(variables, place, target), (x, start), record
        )
        return (x - start) * slopes

    return explainer_of(logits_fn, attribute)


def _gap(flow: Flow) -> tuple[jax.Array, jax.Array]:
    """The change from the baseline with 1 in place of none, and whether there is any."""
    here, there = flow.primals
    gap = here - there
    far = jnp.abs(gap) > CLOSE * jnp.finfo(gap.dtype).eps * (jnp.abs(here) + jnp.abs(there))
    far &= jnp.isfinite(gap)
    return jnp.where(far, gap, jnp.ones_like(gap)), far


def secant(step: Step) -> list[Any]:
    """An elementwise function of one value: the slope between its two places, or where they meet its own."""
    flow, call = step.inputs[step.active()[0]], step.of_active()
    here, there = step.at(0)[0], step.at(1)[0]
    gap, far = _gap(flow)
    middle = (flow.primals[0] + flow.primals[1]) / 2
    _, (own,) = jax.jvp(call, (middle,), (jnp.ones_like(middle),))
    return [Flow((here, there), flow.tangent * jnp.where(far, (here - there) / gap, own))]


def threshold(step: Step) -> list[Any]:
    """A comparison as the step that it is; its truth carries a tangent to where it selects."""
    here, there = step.at(0)[0], step.at(1)[0]
    sides = [value if isinstance(value, Flow) else Flow((value, value), 0.0) for value in step.inputs]
    (left, right) = sides
    apart = Flow(
        tuple(a - b for a, b in zip(left.primals, right.primals, strict=True)), left.tangent - right.tangent
    )
    gap, far = _gap(apart)
    change = here.astype(gap.dtype) - there.astype(gap.dtype)
    return [Flow((here, there), apart.tangent * jnp.where(far, change / gap, jnp.zeros_like(gap)))]


def select(step: Step) -> list[Any]:
    """A choice between two values, by the midpoint product rule where the example decides it."""
    if not isinstance(step.inputs[0], Flow):
        return jvp_at_middle(step)
    chosen, *cases = step.inputs
    here, there = step.at(0)[0], step.at(1)[0]
    share = sum(p.astype(here.dtype) for p in chosen.primals) / 2
    no, yes = (case if isinstance(case, Flow) else Flow((case, case), jnp.zeros_like(here)) for case in cases)
    apart = (yes.primals[0] + yes.primals[1] - no.primals[0] - no.primals[1]) / 2
    tangent = (1 - share) * no.tangent + share * yes.tangent + chosen.tangent * apart
    return [Flow((here, there), tangent)]


def quotient(step: Step) -> list[Any]:
    """A ratio as the product with a reciprocal."""
    above, below = step.inputs
    if not isinstance(below, Flow):
        return jvp_at_middle(step)
    if not isinstance(above, Flow):
        return secant(step)
    inverses = tuple(1 / primal for primal in below.primals)
    tangent = above.tangent * (inverses[0] + inverses[1]) / 2
    tangent -= (above.primals[0] + above.primals[1]) / 2 * below.tangent * inverses[0] * inverses[1]
    return [Flow((step.at(0)[0], step.at(1)[0]), tangent)]


def winner(step: Step) -> list[Any]:
    """A maximum or minimum of many: those who hold it at either place are paid for its change."""
    if len(step.inputs) == 2 and len(step.active()) == 1:
        return secant(step)
    here, there = step.at(0)[0], step.at(1)[0]
    between = (jnp.minimum if "min" in step.name else jnp.maximum)(here, there)
    flows = [step.inputs[place] for place in step.active()]
    shares = []
    for flow in flows:
        gap, far = _gap(flow)
        shares.append(jnp.where(far, flow.tangent / gap, jnp.zeros_like(gap)))
    paid = [
        jax.jvp(step.of_active(), [flow.primals[place] for flow in flows], shares)[1][0] for place in (0, 1)
    ]
    return [Flow((here, there), (between - there) * paid[0] + (here - between) * paid[1])]


def through(step: Step) -> list[Any]:
    """A stop_gradient, as around the shift of a softmax: the comparison does not stop there."""
    return step.inputs


def unmoved(step: Step) -> list[Any]:
    """A truth about the value that explains nothing, such as that it is finite."""
    flow = step.inputs[0]
    return [Flow((step.at(0)[0], step.at(1)[0]), jnp.zeros_like(flow.tangent))]


def cast(step: Step) -> list[Any]:
    """A change of type; a truth turned into a number keeps its tangent."""
    flow = step.inputs[0]
    here, there = step.at(0)[0], step.at(1)[0]
    tangent = flow.tangent
    return [
        Flow(
            (here, there), tangent.astype(here.dtype) if jnp.issubdtype(here.dtype, jnp.floating) else tangent
        )
    ]


RULES: dict[str, Rule] = {
    **dict.fromkeys(LINEAR, jvp_at_middle),
    **dict.fromkeys(ELEMENTWISE_UNARY, secant),
    **dict.fromkeys(COMPARISONS, threshold),
    **dict.fromkeys(
        ("max", "min", "reduce_max", "reduce_min", "reduce_window_max", "reduce_window_min"), winner
    ),
    "activation": secant,
    "is_finite": unmoved,
    "convert_element_type": cast,
    "div": quotient,
    "select_n": select,
    "stop_gradient": through,
}
