"""What the output loses when features are hidden: occlusion, feature ablation, feature permutation."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import a_count, fail
from leakjax.explain.axes import channel_axis_of, laid_out
from leakjax.explain.masking.coalitions import Game, background_rows, explain_game, game_of, values_of
from leakjax.explain.one_channel import by_products
from leakjax.explain.registry import registered, rows_of
from leakjax.explain.types import (
    Explainer,
    LogitsFn,
    Variables,
    explainer_of,
    filled,
    map_chunked,
    scalar_of,
)


def _windows(
    shape: tuple[int, ...],
    players: int,
    *,
    window: Any,
    stride: Any,
    channel_axis: Any,
    each_channel: bool,
    **_: Any,
) -> int:
    return 1 + math.prod(map(len, window_covers(shape, window, stride, channel_axis, each_channel)))


@registered("perturbation", runs=_windows)
def occlusion(
    logits_fn: LogitsFn,
    *,
    window: int | tuple[int, ...] | None = None,
    stride: int | tuple[int, ...] | None = None,
    channel_axis: int | str | None = "auto",
    each_channel: bool = False,
    baseline: Any = 0.0,
    output: str = "logit",
    chunk: int = 64,
) -> Explainer:
    """What the output loses when a window is hidden, averaged over the windows that hide a feature.

    Args:
      logits_fn: Logits [classes] of one example.
      window: Sides of the window: a number for each axis of x but that of channels, or one for all; the channels
        are hidden together. By default an eighth of each side.
      stride: Steps of the window, given likewise; by default the window's sides, so that none overlap.
      channel_axis: The axis of x that holds channels, None for none, or "auto": the one that the model's first
        convolution takes for its features; without a convolution the last of three axes, where it is small.
      each_channel: Whether channels are hidden one by one.
      baseline: Values inside the window: a number, or an array of x's shape.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs.

    Returns:
      The explainer, `1 + windows` runs of the model; attributions have x's shape.

    Raises:
      UsageError: On a window larger than x, a stride of which some feature would never be hidden, or, when called,
        channels that cannot be told.

    Source: Zeiler, Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
    """
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        fill = filled("baseline", baseline, x)
        axis = channel_axis
        if axis == "auto" and x.ndim > 1:
            program = laid_out(lambda variables, place: scalar(variables, place, target), variables, x)
            axis = channel_axis_of(x.shape, axis, program)
        covers = window_covers(x.shape, window, stride, axis, each_channel)
        counts = tuple(cover.shape[0] for cover in covers)
        model = by_products(lambda shown: scalar(variables, shown, target), x)

        def hidden(index: jax.Array) -> jax.Array:
            inside = jnp.ones(x.shape, bool)
            for axis, place in enumerate(jnp.unravel_index(index, counts)):
                side = [1] * x.ndim
                side[axis] = x.shape[axis]
                inside &= jnp.asarray(covers[axis])[place].reshape(side)
            return model(jnp.where(inside, fill, x))

        total = model(x) - map_chunked(hidden, jnp.arange(np.prod(counts)), chunk)
        total = total.reshape(counts)
        for cover in covers:
            # Each pass trades the leading axis of windows for the mean over those that cover each feature.
            mean = jnp.asarray(cover / cover.sum(0, keepdims=True), x.dtype)
            total = jnp.tensordot(total, mean, axes=(0, 0))
        return total

    return explainer_of(logits_fn, attribute)


def window_covers(
    shape: tuple[int, ...],
    window: Any,
    stride: Any,
    channel_axis: int | str | None = "auto",
    each_channel: bool = False,
) -> list[np.ndarray]:
    """Which places each window covers along each axis, boolean [windows, side] an axis.

    Raises:
      UsageError: On a window larger than x, a stride larger than the window, or channels that cannot be told.
    """
    axis = channel_axis_of(shape, channel_axis)
    free = tuple(side for place, side in enumerate(shape) if place != axis)
    windows = _sides("window", window, free) or tuple(max(1, side // 8) for side in free)
    strides = _sides("stride", stride, free) or windows
    covers = []
    for side, wide, step in zip(free, windows, strides, strict=True):
        if wide > side:
            raise fail("window", windows, f"must not be larger than x, {free}")
        if step > wide:
            raise fail(
                "stride", strides, f"must not be larger than the window, {windows}: it would skip features"
            )
        starts = np.arange(0, side - wide + step, step)[:, None]
        covers.append((np.arange(side) >= starts) & (np.arange(side) < starts + wide))
    if axis is not None:
        covers.insert(
            axis, np.eye(shape[axis], dtype=bool) if each_channel else np.ones((1, shape[axis]), bool)
        )
    return covers


def _sides(name: str, value: Any, free: tuple[int, ...]) -> tuple[int, ...] | None:
    if value is None:
        return None
    sides = (value,) * len(free) if isinstance(value, int) else tuple(value)
    if len(sides) != len(free) or min(sides) < 1:
        raise fail(name, value, f"must be a number of at least 1, or {len(free)} of them")
    return sides


def _each_alone(shape: tuple[int, ...], players: int, *, background: Any, **_: Any) -> int:
    return (1 + players) * rows_of(background)


@registered("perturbation", runs=_each_alone, masks=True)
def feature_ablation(
    logits_fn: LogitsFn,
    *,
    baseline: Any = 0.0,
    background: Any = None,
    output: str = "logit",
    chunk: int = 64,
) -> Explainer:
    """What the output loses when one segment is hidden, `1 + segments` runs of the model a row.

    Args:
      logits_fn: Logits [classes] of one example.
      baseline: Values of hidden features: a number, or an array of x's shape.
      background: Examples [rows, ...] to take hidden features from instead, averaged over.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs.

    Returns:
      The explainer; every feature carries its segment's value.
    """

    def values(game: Game, key: jax.Array) -> jax.Array:
        players = jnp.arange(game.players)
        lost = values_of(game, lambda player: players != player, players, chunk)
        return game.value(jnp.ones(game.players, bool)) - lost

    return explain_game(logits_fn, output, baseline, background, values)


def _each_swapped(shape: tuple[int, ...], players: int, *, samples: int, **_: Any) -> int:
    return 1 + samples * players


@registered("perturbation", runs=_each_swapped, stochastic=True, masks=True, needs_background=True)
def feature_permutation(
    logits_fn: LogitsFn, *, background: Any, samples: int = 10, output: str = "logit", chunk: int = 64
) -> Explainer:
    """What the output loses on average when a segment is swapped for that of a random background example.

    The values come from `background`, never from the batch: an attribution must not depend on its neighbours.

    Args:
      logits_fn: Logits [classes] of one example.
      background: Examples [rows, ...] that hold no audited point.
      samples: Rows drawn, with replacement, the same for every segment.
      output: What is explained.
      chunk: Runs held at a time; memory is chunk x what one run needs.

    Returns:
      The explainer, `1 + samples x segments` runs of the model; every feature carries its segment's value.

    Source: Fisher, Rudin, Dominici 2019, "All Models are Wrong, but Many are Useful", section 3, for one
      example.
    """
    a_count("samples", samples)
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        rows = background_rows(background, x)
        drawn = rows[jax.random.randint(key, (samples,), 0, rows.shape[0])]
        game = game_of(scalar, variables, x, target, baseline=0, background=drawn, segments=segments)
        players = jnp.arange(game.players)
        lost = values_of(game, lambda player: players != player, players, chunk)
        return game.spread(scalar(variables, x, target) - lost)

    return explainer_of(logits_fn, attribute)
