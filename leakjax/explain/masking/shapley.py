"""Shapley values from their definition: over random orders of the players, or over all coalitions."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import a_count, fail
from leakjax.explain.masking.coalitions import Game, explain_game, values_of
from leakjax.explain.registry import registered, rows_of
from leakjax.explain.types import Explainer, LogitsFn

MOST_PLAYERS = 16  # of exact Shapley values: 65,536 coalitions


def _orders(shape: tuple[int, ...], players: int, *, samples: int, background: Any, **_: Any) -> int:
    return (2 + samples * (players - 1)) * rows_of(background)


@registered("surrogate", runs=_orders, stochastic=True, masks=True)
def shapley_sampling(
    logits_fn: LogitsFn,
    *,
    samples: int = 26,
    antithetic: bool = True,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    chunk: int = 64,
) -> Explainer:
    """The mean gain when a segment joins, over random orders: `samples x (segments - 1) + 2` runs of the
    model.

    Args:
      logits_fn: Logits [classes] of one example.
      samples: Orders.
      antithetic: Whether every second order is the one before reversed.
      baseline: Values of hidden features: a number, or an array of x's shape.
      background: Examples [rows, ...] to take hidden features from instead, averaged over.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs, and samples x segments numbers.

    Returns:
      The explainer; every feature carries its segment's value, and the segments' values sum to f(x) -
      f(hidden).

    Raises:
      UsageError: On no samples.

    Source: Castro, Gomez, Tejada 2009, "Polynomial calculation of the Shapley value based on sampling";
      reversed orders as in Mitchell et al. 2022, "Sampling Permutations for Shapley Value Estimation",
      section 2.
    """
    a_count("samples", samples)

    def values(game: Game, key: jax.Array) -> jax.Array:
        players = game.players

        def ranks_of(sample: jax.Array) -> jax.Array:
            drawn = sample // 2 if antithetic else sample
            ranks = jax.random.permutation(jax.random.fold_in(key, drawn), players)
            return jnp.where(antithetic & (sample % 2 == 1), players - 1 - ranks, ranks)

        ranks = jax.vmap(ranks_of)(jnp.arange(samples))
        between = players - 1  # coalitions of an order, besides the empty and the full one

        def present(item: jax.Array) -> jax.Array:
            joined = ranks[item // max(1, between)] <= item % max(1, between)
            # Behind those of all orders come the two that they share.
            return jnp.where(item < samples * between, joined, item == samples * between + 1)

        worth = values_of(game, present, jnp.arange(samples * between + 2), chunk)
        inner, nothing, everything = worth[:-2].reshape(samples, between), worth[-2], worth[-1]
        gains = jnp.diff(inner, axis=1, prepend=nothing, append=everything)
        return jnp.take_along_axis(gains, ranks, axis=1).mean(0)

    return explain_game(logits_fn, output, baseline, background, values, chunk)


def _all_coalitions(shape: tuple[int, ...], players: int, *, background: Any, **_: Any) -> int:
    return 2**players * rows_of(background)


@registered("surrogate", runs=_all_coalitions, masks=True)
def exact_shapley(
    logits_fn: LogitsFn,
    *,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    chunk: int = 64,
) -> Explainer:
    """Shapley values over all coalitions, `2^segments` runs of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      baseline: Values of hidden features: a number, or an array of x's shape.
      background: Examples [rows, ...] to take hidden features from instead, averaged over.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs, and 2^segments x segments numbers.

    Returns:
      The explainer; every feature carries its segment's value, and the segments' values sum to f(x) -
      f(hidden).

    Raises:
      UsageError: When called, on more than 16 segments.

    Source: Shapley 1953, "A value for n-person games", section 3.
    """

    def values(game: Game, key: jax.Array) -> jax.Array:
        players = game.players
        if players > MOST_PLAYERS:
            raise fail(
                "segments",
                players,
                f"must be at most {MOST_PLAYERS} for exact Shapley values; pass `segments`",
            )
        digits = jnp.arange(players)

        def present(coalition: jax.Array) -> jax.Array:
            return (coalition >> digits) & 1 == 1

        worth = values_of(game, present, jnp.arange(2**players), chunk)
        shown = (np.arange(2**players)[:, None] >> np.arange(players)) & 1
        size = shown.sum(1, keepdims=True) - shown  # of the coalition without the player
        chance = np.array([1 / (players * math.comb(players - 1, s)) for s in range(players)])[size]
        return (worth - worth[0]) @ jnp.asarray(np.where(shown, chance, -chance), game.dtype)

    return explain_game(logits_fn, output, baseline, background, values, chunk)
