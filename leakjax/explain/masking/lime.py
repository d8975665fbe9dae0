"""LIME: a sparse or ridge regression on random coalitions, weighted by how much of the example they show."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax._validate import a_count, one_of, positive
from leakjax.explain.masking.coalitions import Game, explain_game
from leakjax.explain.masking.solve import solve_positive
from leakjax.explain.registry import registered, rows_of
from leakjax.explain.types import Explainer, LogitsFn, sum_parts

REGRESSIONS = ("ridge", "lasso")
DISTANCES = ("cosine", "euclidean")
SWEEPS = 1000  # of the lasso's coordinate descent, at most
TOLERANCE = 1e-6  # at which it ends, relative to the largest coefficient


def _coalitions(
    shape: tuple[int, ...], players: int, *, samples: int | None, background: Any, **_: Any
) -> int:
    return (2 * players + 256 if samples is None else samples) * rows_of(background)


@registered("surrogate", runs=_coalitions, stochastic=True, masks=True)
def lime(
    logits_fn: LogitsFn,
    *,
    samples: int | None = None,
    distance: str = "cosine",
    width: float | None = None,
    regression: str = "ridge",
    penalty: float | None = None,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    chunk: int = 64,
) -> Explainer:
    """Coefficients of a weighted linear model of the output in which segments show.

    Coalitions show each segment with probability 1/2, but for the first, which shows all; at distance d from
    that one they weigh exp(-d^2 / (2 width^2)). The options are those of the paper, each with its default.

    Args:
      logits_fn: Logits [classes] of one example.
      samples: Coalitions, and runs of the model; 2 x segments + 256 by default.
      distance: "cosine" (1 - sqrt(share shown)) or "euclidean" (sqrt(segments hidden)).
      width: The kernel's width; 0.25 for the cosine and 0.75 sqrt(segments) for the Euclidean by default.
      regression: "ridge" (minimises sum w (y - z b)^2 + penalty |b|^2) or "lasso"
        (sum w (y - z b)^2 / (2 sum w) + penalty |b|_1), each with a free intercept.
      penalty: 1 for the ridge and 0.01 for the lasso by default.
      baseline: Values of hidden features: a number, or an array of x's shape.
      background: Examples [rows, ...] to take hidden features from instead, averaged over.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs, and segments^2.

    Returns:
      The explainer; every feature carries its segment's coefficient.

    Raises:
      UsageError: On fewer than 2 samples, an unknown distance or regression, a width or penalty that is not
        positive.

    Source: Ribeiro, Singh, Guestrin 2016, "Why Should I Trust You?", section 3.4; widths and the ridge as in
      the authors' implementation.
    """
    one_of("distance", distance, DISTANCES)
    one_of("regression", regression, REGRESSIONS)
    a_count("samples", 2 if samples is None else samples, 2)
    positive("width", 1 if width is None else width)
    positive("penalty", 1 if penalty is None else penalty)

    def values(game: Game, key: jax.Array) -> jax.Array:
        players = game.players
        runs = 2 * players + 256 if samples is None else samples
        everything = game.value(jnp.ones(players, bool))

        def moments(parts: jax.Array) -> tuple[jax.Array, ...]:
            keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, parts)
            present = jax.vmap(lambda key: jax.random.bernoulli(key, 0.5, (players,)))(keys)
            worth = jax.vmap(game.value)(present) - everything
            weight = _weights(present.sum(1).astype(game.dtype), players, distance, width)
            # Signs of 1/2 in place of 0 and 1 keep the moments small beside what they tell.
            signs = present.astype(game.dtype) - 0.5
            weighed = weight[:, None] * signs
            return weight.sum(), weighed.sum(0), weight @ worth, weighed.T @ signs, weighed.T @ worth

        # The coalition that shows all has weight 1 and, above `everything`, worth 0.
        half = jnp.full(players, 0.5, game.dtype)
        first = (
            jnp.ones((), game.dtype),
            half,
            jnp.zeros((), game.dtype),
            jnp.outer(half, half),
            jnp.zeros_like(half),
        )
        rest = sum_parts(moments, jnp.arange(1, runs), max(1, chunk // game.runs))
        mass, mean, worth, square, product = jax.tree.map(jnp.add, first, rest)
        square -= jnp.outer(mean, mean) / mass
        product -= mean * worth / mass
        if regression == "ridge":
            strength = 1.0 if penalty is None else penalty
            return solve_positive(square + strength * jnp.eye(players, dtype=game.dtype), product)
        return lasso(square / mass, product / mass, 0.01 if penalty is None else penalty)

    return explain_game(logits_fn, output, baseline, background, values, chunk)


def _weights(shown: jax.Array, players: int, distance: str, width: float | None) -> jax.Array:
    if distance == "cosine":
        far, wide = 1 - jnp.sqrt(shown / players), 0.25
    else:
        far, wide = jnp.sqrt(players - shown), 0.75 * players**0.5
    return jnp.exp(-(far**2) / (2 * (wide if width is None else width) ** 2))


def lasso(square: jax.Array, product: jax.Array, penalty: Any) -> jax.Array:
    """The b that minimises b' square b / 2 - product' b + penalty |b|_1, by coordinate descent.

    Args:
      square: Symmetric and positive semidefinite, [features, features].
      product: [features].
      penalty: Above 0.

    Returns:
      The coefficients [features]; reverse-mode derivatives do not go through the descent.

    Source: Friedman, Hastie, Tibshirani 2010, "Regularization Paths", section 2.2.
    """
    diagonal = jnp.diagonal(square)

    def coordinate(index: jax.Array, found: jax.Array) -> jax.Array:
        rest = product[index] - square[index] @ found + diagonal[index] * found[index]
        shrunk = jnp.sign(rest) * jnp.maximum(jnp.abs(rest) - penalty, 0)
        return found.at[index].set(jnp.where(diagonal[index] > 0, shrunk / diagonal[index], 0))

    def sweep(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        count, found, _ = state
        after = jax.lax.fori_loop(0, product.shape[0], coordinate, found)
        return count + 1, after, jnp.max(jnp.abs(after - found))

    def going(state: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        count, found, change = state
        return (count < SWEEPS) & (change > TOLERANCE * jnp.max(jnp.abs(found)))

    start = jnp.zeros_like(product)
    return jax.lax.while_loop(going, sweep, sweep((jnp.int32(0), start, jnp.max(start))))[1]
