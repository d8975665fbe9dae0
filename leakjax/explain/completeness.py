"""Whether attributions add up to what they explain."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.segments import Segments, segments_for
from leakjax.explain.types import LogitsFn, Variables, filled, scalar_of


def completeness(
    logits_fn: LogitsFn,
    variables: Variables,
    x: jax.Array,
    target: Any,
    attribution: jax.Array,
    *,
    baseline: Any = 0.0,
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
      output: What was explained.
      segments: The segments of the explainer, each of which counts once; None where features stand alone.

    Returns:
      The residual, a scalar.

    Source: Sundararajan, Taly, Yan 2017, "Axiomatic Attribution for Deep Networks", section 3, proposition 1.
    """
    scalar = scalar_of(logits_fn, output)
    gain = scalar(variables, x, target) - scalar(variables, filled("baseline", baseline, x), target)
    if segments is None:
        return gain - attribution.sum()
    found = segments_for(x, segments)
    sizes = jnp.bincount(found.map.reshape(-1), length=found.count)
    return gain - (attribution / sizes[found.map]).sum()
