"""Layer-wise relevance propagation on any traceable function.

Relevance is carried as relevance / value, so that a rule is a modified linear map and the whole a modified
gradient; the relevance of the input is the input times what comes back.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from leakjax._validate import at_least, fail, one_of
from leakjax.explain.backprop.lrp_constants import GATES, constants
from leakjax.explain.backprop.lrp_layers import Layer, shared, split_by_sign
from leakjax.explain.backprop.lrp_rules import rules_of
from leakjax.explain.flows import Fired, multipliers
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of

LAYER_RULES = ("epsilon", "gamma", "alpha_beta", "z_plus")


@registered("backpropagation", runs=1)
def lrp(
    logits_fn: LogitsFn,
    *,
    rule: str | Sequence[str] = "epsilon",
    epsilon: float = 1e-6,
    gamma: float = 0.25,
    alpha: float = 2.0,
    beta: float = 1.0,
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
    exponentials and roots elsewhere do not.

    Args:
      logits_fn: Logits [classes] of one example.
      rule: "epsilon", "gamma", "alpha_beta" or "z_plus" for every layer, or one of them a layer, first to
        last.
      epsilon: Added to every denominator, away from 0.
      gamma: By how much the gamma rule favours positive weights.
      alpha: Weight of what raises a unit, under alpha_beta; alpha - beta must be 1.
      beta: Weight of what lowers it.
      gates: "signal", or "half" for half of the relevance to the gate.
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

        fn = lambda variables, place: scalar(variables, place, target)
        held = lambda program, starts: constants(program, starts, gates)
        _, slopes = multipliers("lrp", rules_of(layer_rule), fn, variables, (x,), record, held)
        if not isinstance(rule, str) and layers < len(rule):
            raise fail("rule", tuple(rule), f"must name a rule for each layer; the model has {layers}")
        return x * slopes

    return explainer_of(logits_fn, attribute)
