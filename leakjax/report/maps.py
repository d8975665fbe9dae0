"""Example attributions beside their inputs, plain and under each defense."""

from typing import TYPE_CHECKING, Any

import numpy as np

from leakjax.evaluate import headline
from leakjax.evaluate.document import Example, Report
from leakjax.report import words
from leakjax.report.looks import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIVERGING = "RdBu_r"
RAISES, LOWERS = "#B2182B", "#2166AC"  # the ends of that colour map
FEATURES = 8


def draw(report: Report, explainer: str) -> "Figure | None":
    """Each example's input beside its attributions by an explainer, plain and hardened; None without any.

    All attributions of one example share one scale, symmetric about zero, so that they can be compared.
    """
    from matplotlib.figure import Figure

    examples = [example for example in report.examples if explainer in example.maps]
    if not examples:
        return None
    defenses = sorted(examples[0].maps[explainer], key=lambda name: name != headline.PLAIN)
    pixels = np.ndim(examples[0].input) == 3
    panels = len(defenses) + pixels
    names, width, height = (0.4, 2.1, 2.1) if pixels else (2.4, 2.6, 2.3)
    figure = Figure(figsize=(names + width * panels, 0.9 + height * len(examples)), layout="constrained")
    grid = figure.subplots(len(examples), panels, squeeze=False, sharey=False if pixels else "row")
    for axes, example in zip(grid, examples, strict=True):
        arrays = [np.asarray(example.maps[explainer][name], dtype=float) for name in defenses]
        (_images if pixels else _features)(axes, report, example, arrays)
    titles = ["input"] * pixels + [
        words.wrapped(words.defense(name), 26 if pixels else 36) for name in defenses
    ]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    figure.suptitle(f"{explainer}\nred: for the class, blue: against it; one scale per row", fontsize=10)
    return figure


def _images(axes: Any, report: Report, example: Example, arrays: list[np.ndarray]) -> None:
    axes[0].imshow(_shown(np.asarray(example.input, dtype=float)), cmap="gray", interpolation="nearest")
    axes[0].set_ylabel(_name(example))
    flat = [array.sum(axis=-1) for array in arrays]
    largest = scale(flat)
    for panel, array in zip(axes[1:], flat, strict=True):
        image(panel, array, largest)
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set(visible=True, color=ink(0.2))


def _features(axes: Any, report: Report, example: Example, arrays: list[np.ndarray]) -> None:
    names, flat = columns(report, example, arrays)
    top = np.argsort(-np.abs(flat[0]), kind="stable")[:FEATURES]
    largest = 1.05 * scale(flat)
    for panel, array in zip(axes, flat, strict=True):
        bars(panel, array[top], largest)
    axes[0].set_yticks(range(len(top)), [names[index] for index in top], fontsize=8)
    axes[0].invert_yaxis()
    axes[0].set_ylabel(_name(example))


def columns(report: Report, example: Example, arrays: list[np.ndarray]) -> tuple[list[str], list[np.ndarray]]:
    """What an attribution says of each column of an example, the indicators of a category together.

    Args:
      report: names features and columns; without columns each feature stands for itself.
      example: whose values are shown beside the names.
      arrays: attributions of its shape.

    Returns:
      The columns with their values, and for each attribution its sum over each column [columns].
    """
    values = np.asarray(example.input, dtype=float).ravel()
    names = report.feature_names or [f"feature {index}" for index in range(values.size)]
    sources = report.columns or range(values.size)
    order = list(dict.fromkeys(sources))
    place = {source: index for index, source in enumerate(order)}
    of_features = np.array([place[source] for source in sources])
    shown = []
    for index, source in enumerate(order):
        own = np.flatnonzero(of_features == index)
        if len(own) == 1:
            shown.append(f"{names[own[0]]} = {values[own[0]]:.3g}")
        else:
            shown.append(names[own[values[own].argmax()]] if values[own].any() else f"{source}: none")
    return shown, [np.bincount(of_features, array.ravel(), minlength=len(order)) for array in arrays]


def image(axes: "Axes", values: np.ndarray, scale: float) -> None:
    """An attribution [height, width] from blue at -scale to red at scale."""
    axes.imshow(values, cmap=DIVERGING, vmin=-scale, vmax=scale, interpolation="nearest")


def bars(axes: "Axes", heights: np.ndarray, scale: float) -> None:
    """Bars of an attribution [features], red above 0 and blue below, on an axis from -scale to scale."""
    axes.barh(range(len(heights)), heights, color=[RAISES if height > 0 else LOWERS for height in heights])
    axes.axvline(0.0, color=ink(0.75), linewidth=0.8)
    axes.set_xlim(-scale, scale)
    axes.tick_params(axis="y", length=0)


def _shown(image: np.ndarray) -> np.ndarray:
    """An image with values from 0 to 1: [height, width] in grey, [height, width, 3] in colour."""
    image = image if image.shape[-1] == 3 else image.mean(axis=-1)
    low, high = image.min(), image.max()
    if low < 0.0 or high > 1.0:
        image = (image - low) / max(high - low, np.finfo(float).tiny)
    return image


def scale(arrays: list[np.ndarray]) -> float:
    """The largest value of attributions that are to be compared, 1 where all are 0."""
    return max(float(np.abs(array).max()) for array in arrays) or 1.0


def _name(example: Example) -> str:
    return f"class {example.label}"
