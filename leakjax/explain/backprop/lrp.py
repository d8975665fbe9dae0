"""Layer-wise relevance propagation on any traceable function.

Relevance is carried as relevance / value, so that a rule is a modified linear map and the whole a modified
gradient; the relevance of the input is the input times what comes back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from leakjax._validate import at_least, fail, one_of
from leakjax.explain.backprop.lrp_constants import GATES, constants
from leakjax.explain.backprop.lrp_layers import (
    LAYERS,
    Layer,
    boxed,
    first_layers,
    off_zero,
    shared,
    split_by_sign,
)
from leakjax.explain.backprop.lrp_rules import rules_of
from leakjax.explain.flows import Fired, Held, Step, multipliers
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, filled, scalar_of

LAYER_RULES = ("epsilon", "gamma", "alpha_beta", "z_plus")
KINDS = ("first", *LAYERS.values())
COMPOSITES: dict[str, Mapping[str, str]] = {
    "epsilon_plus": {"convolution": "z_plus", "dense": "epsilon"},
    "epsilon_alpha_beta": {"convolution": "alpha_beta", "dense": "epsilon"},
    "epsilon_gamma_box": {"first": "z_box", "convolution": "gamma", "dense": "epsilon"},
}


@registered("backpropagation", runs=1)
def lrp(
    logits_fn: LogitsFn,
    *,
    rule: str | Sequence[str] | Mapping[str, str] = "epsilon",
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    alpha: float = 2.0,
    beta: float = 1.0,
    low: Any = None,
    high: Any = None,
    gates: str = "signal",
    output: str = "logit",
    record: list[Fired] | None = None,
) -> Explainer:
    """Layer-wise relevance propagation, one run of the model forward and backward.

    A layer is a product or convolution with weights together with the bias and scales (batch-norm) that
    follow it. Its denominators hold the bias, which keeps its share of relevance. An activation, which is any
    elementwise function of one value however it is written, passes relevance on; the winner of a maximum takes
    all; sums share by what each adds; a gated signal takes all and its gate, a value between 0 and 1, nothing
    (Arras et al. 2017); another product of two values that depend on the example gives each half (Achtibat et
    al. 2024). The weights of a softmax and the norms of a normalisation count as constants (Ali et al. 2022),
    exponentials and roots elsewhere do not. Each rule has its own numbers, and each number its default.

    Args:
      logits_fn: Logits [classes] of one example.
      rule: "epsilon", "gamma", "alpha_beta" or "z_plus" for every layer; one of them a layer, first to last; one of
        them a kind of layer, `{"convolution": "gamma", "dense": "epsilon"}`, and under "first" that of the layers
        that take the example itself, which may be "z_box" (of inputs between `low` and `high`); or the name of such
        a composite: "epsilon_plus", "epsilon_alpha_beta" or "epsilon_gamma_box".
      epsilon: Added to every denominator, away from 0.
      gamma: By how much the gamma rule favours positive weights.
      alpha: Weight of what raises a unit, under alpha_beta; alpha - beta must be 1.
      beta: Weight of what lowers it.
      low: The least value that an input of the model may have, a number or an array of x's shape; for z_box.
      high: The largest, likewise.
      gates: "signal", or "half" for half of the relevance to the gate.
      output: Only "logit": relevance starts at the logit itself.
      record: A list that takes a line for each rule that fired, when the explainer is traced.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: On an unknown rule, rules that are not one a layer, a kind of layer without one, z_box without
        bounds or elsewhere than first, alpha - beta other than 1, another output, or, when called, a primitive
        without a rule.

    Source: Bach et al. 2015, "On Pixel-Wise Explanations", sections 2 and 3; Montavon et al. 2019,
      "Layer-Wise Relevance Propagation: An Overview", table 1 and section 10.3 (composites).
    """
    one_of("output", output, ("logit",))
    named = COMPOSITES.get(rule, rule) if isinstance(rule, str) else rule
    _check_rules(named)
    box = isinstance(named, Mapping) and named.get("first") == "z_box"
    if box and (low is None or high is None):
        raise fail(
            "low, high", (low, high), "must be the bounds of the inputs, as 0.0 and 1.0: z_box needs both"
        )
    one_of("gates", gates, GATES)
    at_least("epsilon", epsilon, 0)
    at_least("gamma", gamma, 0)
    if alpha - beta != 1 or beta < 0:
        raise fail("alpha, beta", (alpha, beta), "must differ by 1, with beta at least 0")
    settle_by = {
        "epsilon": lambda layer, z: shared(layer, z, epsilon, 0.0),
        "gamma": lambda layer, z: shared(layer, z, epsilon, gamma),
        "alpha_beta": lambda layer, z: split_by_sign(layer, z, epsilon, alpha, beta),
        "z_plus": lambda layer, z: split_by_sign(layer, z, epsilon, 1.0, 0.0),
    }
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        layers = 0
        first: dict[Any, Any] = {}

        def layer_rule(step: Step) -> Callable[[Layer, jax.Array], jax.Array]:
            nonlocal layers
            layers += 1
            if isinstance(named, str):
                return settle_by[named]
            if isinstance(named, Mapping):
                kind = "first" if step.output in first else LAYERS[step.name]
                if kind not in named:
                    raise fail(
                        "rule",
                        dict(named),
                        f"must name a rule for each kind of layer; the model has {kind} ones",
                    )
                if named[kind] == "z_box":
                    return _box_of(first[step.output], epsilon)
                return settle_by[named[kind]]
            if layers > len(named):
                raise fail(
                    "rule",
                    tuple(named),
                    f"must name a rule for each layer; the model has more than {len(named)}",
                )
            return settle_by[named[layers - 1]]

        def held(program: Any, starts: Any) -> Held:
            if isinstance(named, Mapping) and "first" in named:
                ends = (filled("low", low, x), filled("high", high, x)) if box else (x, x)
                first.update(first_layers(program, *ends))
            return constants(program, starts, gates)

        fn = lambda variables, place: scalar(variables, place, target)
        _, slopes = multipliers("lrp", rules_of(layer_rule), fn, variables, (x,), record, held)
        if not isinstance(named, str | Mapping) and layers < len(named):
            raise fail("rule", tuple(named), f"must name a rule for each layer; the model has {layers}")
        return (off_zero(x) if box else x) * slopes

    return explainer_of(logits_fn, attribute)


def _box_of(bounds: Any, epsilon: float) -> Callable[[Layer, jax.Array], jax.Array]:
    if isinstance(bounds, str):
        raise fail(
            "rule",
            "z_box",
            f"needs the example itself in the first layer, and {bounds} comes before it; tag what comes out of "
            "that, explain it by at=, and give its bounds",
        )
    return lambda layer, z: boxed(layer, z, epsilon, *bounds)


def _check_rules(named: Any) -> None:
    if not isinstance(named, Mapping):
        for name in (named,) if isinstance(named, str) else named:
            one_of("rule", name, (*LAYER_RULES, *COMPOSITES) if isinstance(named, str) else LAYER_RULES)
        return
    for kind, name in named.items():
        one_of("rule", kind, KINDS)
        one_of("rule", name, (*LAYER_RULES, "z_box") if kind == "first" else LAYER_RULES)
