"""DeepLIFT's rescale rule on any traceable function."""

from typing import Any

import jax

from leakjax.explain.backprop.deeplift_rules import RULES
from leakjax.explain.flows import Fired, multipliers
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, filled, scalar_of


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
        fn = lambda variables, place: scalar(variables, place, target)
        _, slopes = multipliers("deeplift", RULES, fn, variables, (x, start), record)
        return (x - start) * slopes

    return explainer_of(logits_fn, attribute)
