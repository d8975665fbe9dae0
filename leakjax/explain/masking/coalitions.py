"""The game behind every masking method: segments are players, hidden ones take the baseline's values."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import fail
from leakjax.explain.affine import Split, mixture, split
from leakjax.explain.one_channel import by_products
from leakjax.explain.segments import Segments, segments_for
from leakjax.explain.types import (
    Explainer,
    LogitsFn,
    ScalarFn,
    Variables,
    explainer_of,
    filled,
    map_chunked,
    scalar_of,
)

# What a multiplication in the model costs, in those that mix images; convolutions of few channels cost more.
MIXING = 2


class Game(NamedTuple):
    """What the model is worth when only some segments show.

    Attributes:
      players: How many segments there are.
      value: `value(present) -> scalar` for present [players], boolean.
      runs: How many runs of the model a value costs.
      dtype: Of x and of the values.
      spread: `spread(values) -> attribution`: each feature takes the value [players] of its segment.
    """

    players: int
    value: Callable[[jax.Array], jax.Array]
    runs: int
    dtype: jnp.dtype
    spread: Callable[[jax.Array], jax.Array]


def game_of(
    scalar: ScalarFn,
    variables: Variables,
    x: jax.Array,
    target: Any,
    *,
    baseline: Any,
    background: Any,
    segments: Segments | None,
    chunk: int = 0,
) -> Game:
    """The game of one example.

    Where all players' images under the model's affine start fit into `chunk` and mixing them is cheaper than
    running the start, coalitions are mixed there.

    Args:
      scalar: What is explained, of (variables, x, target).
      variables: The model's variables.
      x: One example.
      target: Its class.
      baseline: Values of hidden features: a number, or an array of x's shape.
      background: Examples [rows, ...] to take hidden features from instead; a coalition is then worth its
        mean over the rows, and costs that many runs.
      segments: Which features go together; None for each by itself.
      chunk: Runs of the model that may be held at a time; 0 for a method that asks for no more coalitions than
        there are players.
    """
    alone = segments is None
    found = segments_for(x, segments)

    def spread(values: jax.Array) -> jax.Array:
        return values.reshape(x.shape) if alone else values[found.map]

    rows = rows_like(x, baseline, background)

    def explained(shown: jax.Array) -> jax.Array:
        return scalar(variables, shown, target)

    def masking(present: jax.Array) -> jax.Array:
        shown, model = spread(present), by_products(explained, x)
        return jax.vmap(lambda row: model(jnp.where(shown, x, row)))(rows).mean()

    value: Callable[[jax.Array], jax.Array] = masking
    if found.count * rows.shape[0] <= chunk:
        model = split(explained, x)
        if 0 < found.count * model.images <= MIXING * model.multiplications:
            value = _mixing(model, x, rows, found)
    return Game(found.count, value, rows.shape[0], x.dtype, spread)


def _mixing(
    model: Split, x: jax.Array, rows: jax.Array, segments: Segments
) -> Callable[[jax.Array], jax.Array]:
    """What a coalition is worth, mixed from its players' images under the model's affine start."""
    inside = jax.vmap(lambda player: segments.map == player)(jnp.arange(segments.count))

    def parts_of(row: jax.Array) -> list[jax.Array]:
        hidden, push = jax.linearize(model.start, row)
        shown = jax.vmap(push)(jnp.where(inside, x - row, 0))
        return [jnp.concatenate([a[None], b]) for a, b in zip(hidden, shown, strict=True)]

    parts = jax.vmap(parts_of)(rows)

    def value(present: jax.Array) -> jax.Array:
        shares = jnp.concatenate([jnp.ones(1, bool), present])
        return jax.vmap(lambda parts: model.rest(mixture(parts, shares)))(parts).mean()

    return value


def explain_game(
    logits_fn: LogitsFn,
    output: str,
    baseline: Any,
    background: Any,
    values: Callable[[Game, jax.Array], jax.Array],
    chunk: int = 0,
) -> Explainer:
    """The explainer that gives each feature its segment's among the `values(game, key)`, [players].

    `chunk` as for `game_of`.
    """
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        game = game_of(
            scalar,
            variables,
            x,
            target,
            baseline=baseline,
            background=background,
            segments=segments,
            chunk=chunk,
        )
        return game.spread(values(game, key))

    return explainer_of(logits_fn, attribute)


def values_of(game: Game, present_of: Callable[[Any], jax.Array], items: Any, chunk: int) -> jax.Array:
    """The value of the coalition `present_of(item)` for each item [count, ...], `chunk` runs at a time."""
    return map_chunked(lambda item: game.value(present_of(item)), items, max(1, chunk // game.runs))


def rows_like(x: jax.Array, baseline: Any, background: Any) -> jax.Array:
    """What an example is compared with, [rows, ...] like x: the background's rows, or without one the baseline."""
    return filled("baseline", baseline, x)[None] if background is None else background_rows(background, x)


def background_rows(background: Any, x: jax.Array) -> jax.Array:
    """The background as an array [rows, ...] like x.

    Raises:
      UsageError: Unless it holds at least one example of x's shape.
    """
    shape = tuple(np.shape(background))
    if len(shape) != x.ndim + 1 or shape[1:] != x.shape or shape[0] == 0:
        raise fail("background", shape, f"must be [rows, ...] of examples of x's shape, {x.shape}")
    return jnp.asarray(background, x.dtype)
