"""DeepLIFT's rescale rule on any traceable function."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.backprop.deeplift_rules import RULES
from leakjax.explain.flows import Fired, multipliers
from leakjax.explain.masking.coalitions import rows_like
from leakjax.explain.registry import registered, rows_of
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of, sum_chunked


def _each_row(shape: tuple[int, ...], players: int, *, background: Any, **_: Any) -> int:
    return 2 * rows_of(background)


@registered("backpropagation", runs=_each_row)
def deeplift(
    logits_fn: LogitsFn,
    *,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    record: list[Fired] | None = None,
    chunk: int = 50,
) -> Explainer:
    """DeepLIFT with the rescale rule: two runs of the model a baseline, one of them backward too.

    An activation passes on the slope of the line between its values at the example and at the baseline, a
    maximum pays the positions that hold it, and a product takes its other factor midway, so that attributions
    sum to f(x) - f(baseline) exactly, up to rounding.

    Args:
      logits_fn: Logits [classes] of one example.
      baseline: What the example is compared with: a number, or an array of x's shape.
      background: Examples [rows, ...] to compare with instead, averaged over (DeepLiftSHAP): attributions then sum
        to f(x) less the mean of f over the rows.
      output: What is explained.
      record: A list that takes a line for each rule that fired, when the explainer is traced.
      chunk: Rows held at a time; memory is chunk x what one comparison needs.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: When called, on a primitive without a rule.

    Source: Shrikumar, Greenside, Kundaje 2017, "Learning Important Features Through Propagating Activation
      Differences", sections 3.1 to 3.5; several baselines as in Lundberg, Lee 2017, section 4.2.
    """
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        fn = lambda variables, place: scalar(variables, place, target)
        rows = rows_like(x, baseline, background)
        fired: list[Fired] = []

        def compared(start: jax.Array) -> jax.Array:
            fired.clear()  # rows are traced more than once
            _, slopes = multipliers("deeplift", RULES, fn, variables, (x, start), fired)
            return (x - start) * slopes

        if background is None:
            found = compared(rows[0])
        else:
            found = sum_chunked(compared, rows, chunk) / jnp.asarray(len(rows), x.dtype)
        if record is not None:
            record.extend(fired)
        return found

    return explainer_of(logits_fn, attribute)
