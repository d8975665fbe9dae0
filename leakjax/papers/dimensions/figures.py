"""The figures of a study of dimensions, as PNG bytes: the paper's figures 5 and 14, and its figure 4."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate.document import Estimate
from leakjax.papers.dimensions.document import Dimensions, SampledRow
from leakjax.report.looks import WIDE, drawn, ink, plain_ticks
from leakjax.report.plot import INK, MARKS, ORANGE

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES, SAMPLES = "correlation", "samples"
_SIZES = ("base", "small", "big")


def images(found: Dimensions) -> dict[str, bytes]:
    """Every figure that the results allow, by name."""
    return drawn(
        {
            CURVES: lambda look: curves(found) if found.rows else None,
            SAMPLES: lambda look: samples(found) if found.sampled else None,
        },
        WIDE,
    )


def curves(found: Dimensions) -> "Figure":
    """Correlation of the 1-norm with membership, and accuracies, by the number of features: a column of classes."""
    from matplotlib.figure import Figure

    classes = sorted({row.classes for row in found.rows})
    figure = Figure(figsize=(1.0 + 4.6 * len(classes), 6.4), layout="constrained")
    panels = figure.subplots(2, len(classes), squeeze=False, sharex=True, sharey="row")
    for column, count in enumerate(classes):
        top, bottom = panels[:, column]
        for place, size in enumerate(_SIZES):
            own = sorted(
                (row for row in found.rows if (row.classes, row.size) == (count, size)),
                key=lambda row: row.features,
            )
            if not own:
                continue
            at = [row.features for row in own]
            colour, mark = MARKS[place]
            _line(top, at, [row.norm for row in own], colour, mark, f"{size}: 1-norm")
            if size == "base":
                _line(top, at, [row.variance for row in own], INK, "x", "base: variance of the prediction")
            for values, dashes, what in (
                ([row.train_accuracy for row in own], "-", "train"),
                ([row.test_accuracy for row in own], ":", "test"),
            ):
                bottom.plot(
                    at,
                    [one.value for one in values],
                    dashes,
                    marker=mark,
                    color=colour,
                    ms=4,
                    label=f"{size}: {what}",
                )
        top.axhline(0.0, color=ink(0.4), linewidth=0.8)
        top.set(xscale="log", title=f"{count} classes")
        plain_ticks(bottom.xaxis)
        bottom.set(xlabel="features", ylim=(0.0, 1.03))
    panels[0, 0].set_ylabel("correlation with membership")
    panels[1, 0].set_ylabel("accuracy")
    for panel in panels[:, -1]:
        panel.legend(fontsize=8, loc="best")
    return figure


def samples(found: Dimensions) -> "Figure":
    """What SmoothGrad shows by its number of samples: 1-norms on the left, the AUC of attacks on the right."""
    from matplotlib.figure import Figure

    sigmas = sorted({row.sigma for row in found.sampled if row.method == "smoothgrad"})
    plain = next(row for row in found.sampled if row.method == "gradient")
    figure = Figure(figsize=(9.6, 0.8 + 3.0 * len(sigmas)), layout="constrained")
    panels = figure.subplots(len(sigmas), 2, squeeze=False)
    for (left, right), sigma in zip(panels, sigmas, strict=True):
        own = [row for row in found.sampled if row.method == "smoothgrad" and row.sigma == sigma]
        shown = [plain, *sorted(own, key=lambda row: row.samples)]
        at = np.arange(len(shown))
        for shift, part, colour, what in (
            (-0.12, "members", ORANGE, "members"),
            (0.12, "others", ink(), "others"),
        ):
            spread = np.array([getattr(row, part) for row in shown])
            left.vlines(at + shift, spread[:, 0], spread[:, 4], color=colour, lw=1)
            left.vlines(at + shift, spread[:, 1], spread[:, 3], color=colour, lw=5)
            left.plot(at + shift, spread[:, 2], "o", color=ink(0.0), ms=3, markeredgecolor=colour)
            left.plot([], [], color=colour, lw=5, label=what)
        _attacks(right, at, shown)
        for panel in (left, right):
            panel.set_xticks(at, ["gradient", *(str(row.samples) for row in shown[1:])])
            panel.set_title(f"noise of {sigma:g} standard deviations", loc="left")
        left.set(ylabel="1-norm", yscale="log")
        plain_ticks(left.yaxis)
        right.set_ylabel("AUC")
    for panel in panels[-1]:
        panel.set_xlabel("samples")
    for panel in panels[0]:
        panel.legend(fontsize=8)
    return figure


def _attacks(axes: "Axes", at: np.ndarray, shown: Sequence[SampledRow]) -> None:
    for place, (field, what) in enumerate(
        (("alone", "stacked, the map"), ("attack", "threshold on the 1-norm"))
    ):
        colour, mark = MARKS[place]
        _line(axes, at + 0.1 * place, [getattr(row, field) for row in shown], colour, mark, what)
    axes.axhline(shown[0].label.value, color=ink(0.6), linewidth=1.0, linestyle="--", label="the class alone")
    axes.axhline(0.5, color=ink(0.4), linewidth=0.8, linestyle=":")


def _line(
    axes: "Axes",
    at: Sequence[float] | np.ndarray,
    values: Sequence[Estimate],
    colour: str,
    mark: str,
    what: str,
) -> None:
    low, middle, high = (np.array([getattr(one, end) for one in values]) for end in ("low", "value", "high"))
    shade = colour or ink()
    axes.plot(at, middle, mark, linestyle="-", color=shade, ms=4, lw=1.2, label=what)
    axes.errorbar(at, (low + high) / 2, yerr=(high - low) / 2, fmt="none", color=shade, capsize=2, lw=1)
