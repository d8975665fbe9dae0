"""One attribution as a picture: a heat map for an image, bars with names for a row of a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakjax._validate import at_least, fail, one_of
from leakjax.explain.segments import Segments

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("auto", "heat", "blended", "bars")
DIVERGING = "RdBu_r"
FOR, AGAINST = "#B2182B", "#2166AC"  # the ends of that colour map


def show(
    x: Any,
    attribution: Any,
    *,
    axes: "Axes | None" = None,
    style: str = "auto",
    names: Sequence[str] | None = None,
    segments: Segments | None = None,
    channel_axis: int = -1,
    outliers: float = 2.0,
    top: int = 10,
    title: str = "",
) -> "Axes":
    """Draws what an explainer said of one example: red speaks for the target, blue against it.

    The options that have a default only change how it looks.

    Args:
      x: The example: an image [height, width] or [height, width, channels], or anything else as a table of features.
      attribution: What the explainer said of it, in x's shape or with one channel.
      axes: Where to draw; new ones if None.
      style: "heat" (a heat map), "blended" (over the image in grey), "bars" (a bar a feature, as shap has it), or
        "auto": bars for one axis or beside names, a heat map otherwise.
      names: Of the features, for bars; of the segments, where those are given.
      segments: Those of the explainer, for bars: a bar each, with the value that the segment has as a whole.
      channel_axis: The axis of an image's channels, over which attributions are summed.
      outliers: Per cent of the largest magnitudes that a heat map may cut off, lest one pixel pale the others.
      top: How many bars, the largest magnitudes first; the others are summed in one more.
      title: Above the picture.

    Returns:
      The Axes.

    Raises:
      UsageError: On an attribution of another shape than x, names of another number, or an image of other axes.
    """
    one_of("style", style, STYLES)
    at_least("top", top, 1)
    x, attribution = np.asarray(x, float), np.asarray(attribution, float)
    if attribution.ndim != x.ndim or any(
        a not in (b, 1) for a, b in zip(attribution.shape, x.shape, strict=True)
    ):
        raise fail("attribution", attribution.shape, f"must have x's shape, {x.shape}, or one channel")
    if style == "auto":
        style = "bars" if x.ndim < 2 or names is not None or segments is not None else "heat"
    if axes is None:
        from matplotlib.figure import Figure  # slow to import, and needed where something is drawn alone

        axes = Figure(layout="constrained").subplots()
    if style == "bars":
        _bars(axes, x, attribution, names, segments, top)
    else:
        _heat(axes, x, attribution, style == "blended", channel_axis, outliers)
    axes.set_title(title)
    return axes


def _heat(
    axes: "Axes", x: np.ndarray, attribution: np.ndarray, blended: bool, channel_axis: int, outliers: float
) -> None:
    if x.ndim not in (2, 3):
        raise fail(
            "x", x.shape, 'must be an image [height, width] or [height, width, channels]; or style="bars"'
        )
    if x.ndim == 3:
        x, attribution = x.mean(channel_axis), attribution.sum(channel_axis)
    if not 0 <= outliers < 100:
        raise fail("outliers", outliers, "must be per cent, at least 0 and less than 100")
    largest = np.percentile(np.abs(attribution), 100 - outliers) or np.abs(attribution).max() or 1.0
    if blended:
        axes.imshow(x, cmap="gray", interpolation="nearest")
    drawn = axes.imshow(
        attribution,
        cmap=DIVERGING,
        vmin=-largest,
        vmax=largest,
        interpolation="nearest",
        alpha=np.minimum(np.abs(attribution) / largest, 1.0) if blended else None,
    )
    axes.set(xticks=[], yticks=[])
    axes.figure.colorbar(drawn, ax=axes, extend="both" if outliers else "neither")


def _bars(
    axes: "Axes",
    x: np.ndarray,
    attribution: np.ndarray,
    names: Sequence[str] | None,
    segments: Segments | None,
    top: int,
) -> None:
    values = np.broadcast_to(attribution, x.shape).reshape(-1)
    labels: list[str]
    if segments is None:
        plain = [f"feature {place}" for place in range(values.size)] if names is None else list(names)
        labels = [f"{name} = {value:.4g}" for name, value in zip(plain, x.reshape(-1), strict=False)]
    else:
        own = np.broadcast_to(np.asarray(segments.map), x.shape).reshape(-1)
        first = [np.flatnonzero(own == segment)[:1] for segment in range(segments.count)]
        values = np.array([values[places].sum() for places in first])
        labels = plain = (
            [f"segment {place}" for place in range(segments.count)] if names is None else list(names)
        )
    if len(plain) != len(values):
        raise fail("names", len(plain), f"must be one for each bar, {len(values)}")
    order = np.argsort(-np.abs(values), kind="stable")
    shown, rest = order[:top], order[top:]
    lengths = [*values[shown], *([values[rest].sum()] if len(rest) else [])]
    ticks = [labels[place] for place in shown] + ([f"{len(rest)} others"] if len(rest) else [])
    axes.barh(range(len(lengths)), lengths, color=[FOR if length > 0 else AGAINST for length in lengths])
    axes.set_yticks(range(len(lengths)), ticks)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("attribution")
