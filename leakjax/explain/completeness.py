"""Whether attributions add up to what they explain."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.masking.coalitions import rows_like
from leakjax.explain.segments import Segments, segments_for
from leakjax.explain.types import LogitsFn, Variables, scalar_of


def completeness(
    logits_fn: LogitsFn,
    variables: Variables,
    x: jax.Array,
    target: Any,
    attribution: jax.Array,
    *,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    segments: Segments | None = None,
) -> jax.Array:
    """f(x) - f(baseline) less the sum of an attribution: the residual of one example.

    Args:
      logits_fn: Logits [classes] of one example.
      variables: The model's variables.
      x: One example.
      target: Its class.
      attribution: What an explainer said of it, in x's shape.
      baseline: What the explainer compared with: a number, or an array of x's shape.
      background: Examples [rows, ...] that the explainer compared with instead, averaged over.
      output: What was explained.
      segments: The segments of the explainer, each of which counts once; None where features stand alone.

    Returns:
      The residual, a scalar.

    Source: Sundararajan, Taly, Yan 2017, "Axiomatic Attribution for Deep Networks", section 3, proposition 1.
    """
    scalar = scalar_of(logits_fn, output)
    rows = rows_like(x, baseline, background)
    gain = scalar(variables, x, target) - jax.vmap(lambda row: scalar(variables, row, target))(rows).mean()
    if segments is None:
        return gain - attribution.sum()
    found = segments_for(x, segments)
    sizes = jnp.bincount(found.map.reshape(-1), length=found.count)
    return gain - (attribution / sizes[found.map]).sum()
