"""ProtoDash: a few weighted examples that stand for the one explained."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax._validate import at_least, fail, one_of, positive
from leakjax.explain.masking.coalitions import background_rows
from leakjax.explain.registry import registered
from leakjax.explain.types import ExampleExplainer, LogitsFn, Variables, check_features, map_chunked

SPACES = ("logits", "input")
SWEEPS = 200  # of the weights' coordinate descent


class Prototypes(NamedTuple):
    """Examples that explain one.

    Attributes:
      indices: Rows of the candidates, in the order in which they were chosen, int32 [count].
      weights: What each contributes, not negative, [count].
    """

    indices: jax.Array
    weights: jax.Array


def _candidates(shape: tuple[int, ...], players: int, *, background: Any, space: str, **_: Any) -> int:
    return 0 if space == "input" else 1 + len(background)


@registered("example", runs=_candidates, needs_background=True)
def protodash(
    logits_fn: LogitsFn,
    *,
    background: Any,
    count: int = 5,
    space: str = "logits",
    width: float | None = None,
    chunk: int = 64,
) -> ExampleExplainer[Prototypes]:
    """Greedily chosen candidates whose weighted kernel mean is nearest to the example.

    Args:
      logits_fn: Logits [classes] of one example.
      background: The candidates [rows, ...].
      count: How many to choose.
      space: Where nearness is measured: between the model's "logits" or the inputs themselves ("input").
      width: Of the Gaussian kernel exp(-d^2 / (2 width^2)); by default the median distance of the candidates
        to the example.
      chunk: Runs held at a time.

    Returns:
      `explainer(variables, x, target, *, key, segments=None) -> Prototypes`, `1 + rows` runs of the model;
      the target, the key and the segments change nothing.

    Raises:
      UsageError: On no count, more than there are candidates, an unknown space, or a width that is not
        positive.

    Source: Gurumoorthy et al. 2019, "Efficient Data Representation by Selecting Prototypes with Importance
      Weights", section 4, algorithm 1.
    """
    at_least("count", count, 1)
    one_of("space", space, SPACES)
    positive("width", 1 if width is None else width)
    if count > len(background):
        raise fail("count", count, f"must be at most the background's rows, {len(background)}")

    def explainer(
        variables: Variables, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> Prototypes:
        check_features("x", x)
        rows = background_rows(background, jnp.asarray(x))

        def place(example: jax.Array) -> jax.Array:
            return example.reshape(-1) if space == "input" else logits_fn(variables, example)

        places, here = map_chunked(place, rows, chunk), place(jnp.asarray(x))
        far = _squares(places, here[None])[:, 0]
        wide = jnp.sqrt(jnp.median(far)) if width is None else width
        two = 2 * jnp.maximum(wide, jnp.finfo(far.dtype).tiny ** 0.25) ** 2
        alike, near = jnp.exp(-_squares(places, places) / two), jnp.exp(-far / two)
        chosen, weights = choose(alike, near, count)
        return Prototypes(chosen, weights[chosen])

    return explainer


def _squares(left: jax.Array, right: jax.Array) -> jax.Array:
    """Squared distances [left, right] of rows, never negative."""
    product = left @ right.T
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * product
    return jnp.maximum(squares, 0)


def choose(alike: jax.Array, near: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The greedy choice of `count` rows for near' w - w' alike w / 2, with w not negative.

    Args:
      alike: Kernel between the candidates, [rows, rows].
      near: Kernel of each candidate with what is explained, [rows].
      count: How many rows to choose.

    Returns:
      The rows in the order chosen [count], and the weights [rows], 0 for all others.
    """
    diagonal = jnp.diagonal(alike)

    def refit(chosen: jax.Array, weights: jax.Array) -> jax.Array:
        def coordinate(place: jax.Array, weights: jax.Array) -> jax.Array:
            row = chosen[place % count]
            rest = near[row] - alike[row] @ weights + diagonal[row] * weights[row]
            return weights.at[row].set(jnp.maximum(rest / diagonal[row], 0))

        return jax.lax.fori_loop(0, SWEEPS * count, coordinate, weights)

    def add(step: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        chosen, weights = state
        taken = (
            jnp.zeros(near.shape, bool)
            .at[jnp.where(jnp.arange(count) < step, chosen, chosen[0])]
            .set(step > 0)
        )
        gain = jnp.where(taken, -jnp.inf, near - alike @ weights)
        best = jnp.argmax(gain).astype(jnp.int32)
        # Places not yet filled repeat the newest row, which a sweep may visit twice.
        chosen = jnp.where(jnp.arange(count) < step, chosen, best)
        return chosen, refit(chosen, weights)

    return jax.lax.fori_loop(0, count, add, (jnp.zeros(count, jnp.int32), jnp.zeros_like(near)))
