"""Integrated gradients: the gradient averaged over the straight way from a baseline to the example."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import a_count, one_of
from leakjax.explain.affine import mixture, split
from leakjax.explain.masking.coalitions import rows_like
from leakjax.explain.registry import registered, rows_of
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of, sum_chunked

RULES = ("gauss_legendre", "midpoint", "trapezoid")


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in [0, 1] and their weights, which sum to 1.

    Args:
      rule: "gauss_legendre" (exact for polynomials of degree 2 steps - 1), "midpoint", or "trapezoid" (with
        both ends, at half the weight of the others).
      steps: How many places.

    Returns:
      Places [steps] and weights [steps], float64.

    Raises:
      UsageError: On an unknown rule, no steps, or a trapezoid of fewer than 2.
    """
    one_of("rule", rule, RULES)
    a_count("steps", steps, 2 if rule == "trapezoid" else 1)
    if rule == "gauss_legendre":
        places, weights = np.polynomial.legendre.leggauss(steps)
        return (places + 1) / 2, weights / 2
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    weights = np.full(steps, 1 / (steps - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, steps), weights


def _steps(shape: tuple[int, ...], players: int, *, steps: int, background: Any, **_: Any) -> int:
    return steps * rows_of(background)


@registered("backpropagation", runs=_steps)
def integrated_gradients(
    logits_fn: LogitsFn,
    *,
    steps: int = 50,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    rule: str = "gauss_legendre",
    chunk: int = 50,
) -> Explainer:
    """Integrated gradients, `steps` runs of the model a baseline; which sum to f(x) - f(baseline).

    Args:
      logits_fn: Logits [classes] of one example.
      steps: Gradients along the way.
      baseline: Where the way begins: a number, or an array of x's shape.
      background: Examples [rows, ...] to begin at instead, averaged over, one after the other: attributions then sum
        to f(x) less the mean of f over the rows.
      output: What is explained.
      rule: "gauss_legendre", "midpoint" or "trapezoid".
      chunk: Gradients held at a time; memory is chunk x what one gradient needs.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: On no steps, an unknown rule or output, or a baseline of another shape.

    Source: Sundararajan, Taly, Yan 2017, "Axiomatic Attribution for Deep Networks", section 3.
    """
    places, weights = quadrature(rule, steps)
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        items = (jnp.asarray(places, x.dtype), jnp.asarray(weights, x.dtype))
        rows = rows_like(x, baseline, background)

        def from_row(start: jax.Array) -> jax.Array:
            return along_line(lambda place: scalar(variables, place, target), start, x, items, chunk)

        return from_row(rows[0]) if len(rows) == 1 else sum_chunked(from_row, rows, 1) / len(rows)

    return explainer_of(logits_fn, attribute)


def along_line(
    fn: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    end: jax.Array,
    items: tuple[jax.Array, jax.Array],
    chunk: int,
) -> jax.Array:
    """The weighted sum of fn's gradients on the line between two arrays, times end - start.

    Both passes through fn's affine start are made once for all gradients.

    Args:
      fn: Scalar function of an array.
      start: Where the line begins.
      end: Where it ends.
      items: Places on it, 0 at the start and 1 at the end, and their weights, each [gradients].
      chunk: Gradients held at a time.
    """
    model = split(fn, start)
    # From one end and along: a mixture of both ends would make NaN of what the start masks by infinities.
    images, push = jax.linearize(model.start, start)
    parts = [jnp.stack(pair) for pair in zip(images, push(end - start), strict=True)]

    def weighted(item: tuple[jax.Array, jax.Array]) -> list[jax.Array]:
        place, weight = item
        here = mixture(parts, jnp.stack([jnp.ones_like(place), place]))
        return jax.grad(lambda images: weight * model.rest(images))(here)

    (total,) = jax.linear_transpose(push, start)(sum_chunked(weighted, items, chunk))
    return (end - start) * total
