"""The figures of a report, as matplotlib figures and as files.

Drawn with the object interface and no global state; equal reports give equal bytes. The colours are those of
Okabe and Ito (2008), which the colour-blind can tell apart.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from leakjax.evaluate import headline
from leakjax.evaluate.document import Estimate, Report
from leakjax.report import maps, plot, recommend, words
from leakjax.report.looks import DPI, LOOKS, PHONE, STYLE, Look, ink, mixed, png, saved, style
from leakjax.report.plot import MARKS, VERMILION, curve_of, percents

if TYPE_CHECKING:  # drawing is optional work: matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DPI", "STYLE", "bars", "curve", "examples_of", "files", "images", "pictures", "png", "roc"]
COLUMNS = 3
_LEAST = 0.25  # percentage points that an axis of margins shows at least

Draw = Callable[[Report, Look], "Figure | None"]


def images(report: Report) -> dict[str, bytes]:
    """Every figure of a report as a PNG: "leakage", "roc", "hardening", and the examples of each explainer."""
    with style(Look()):
        return {
            name: png(figure) for name, draw in _draws(report).items() if (figure := draw(report, Look()))
        }


def files(report: Report) -> dict[str, bytes]:
    """Every figure as PNG, SVG and PDF, by the name of its file."""
    found: dict[str, bytes] = {}
    with style(Look()):
        for name, draw in _draws(report).items():
            if figure := draw(report, Look()):
                found |= {f"{name}.{kind}": content for kind, content in saved(figure).items()}
    return found


def pictures(report: Report) -> dict[str, bytes]:
    """The figures of a page in every look but that of `images`: PNGs by name and look, as "roc@dark".

    Examples are images, which shrink to the width of a phone as they are.
    """
    found: dict[str, bytes] = {}
    for mark, look in LOOKS.items():
        with style(look):
            for name, draw in _draws(report).items():
                wanted = mark and (name in CHARTS or not look.narrow)
                if wanted and (figure := draw(report, look)):
                    found[f"{name}{mark}"] = png(figure)
    return found


def examples_of(explainer: str) -> str:
    """The name of the figure with an explainer's examples; any explainer's name makes a file name."""
    return f"examples_{quote(explainer, safe='')}"


def bars(report: Report, look: Look = LOOKS[""]) -> "Figure | None":
    """What each explanation adds to the prediction, with intervals: a group of bars per explainer."""
    from matplotlib.figure import Figure

    explainers, defenses = headline.explainers(report.leakage), headline.defenses(report.leakage)
    if not explainers:
        return None
    height = 1.9 + 0.28 * len(explainers) * (len(defenses) + 1) + 0.2 * len(defenses) * look.narrow
    figure = Figure(figsize=(PHONE if look.narrow else 8.0, height), layout="constrained")
    axes = figure.add_subplot()
    reached = [np.array([-0.12 * _LEAST, _LEAST])]
    for place, defense in enumerate(defenses):
        colour, mark = MARKS[place % len(MARKS)]
        rows = [headline.row(report.leakage, "both", explainer, defense) for explainer in explainers]
        unknown = Estimate(np.nan, np.nan, np.nan)
        margins = [headline.margin(report.leakage, row) if row else unknown for row in rows]
        value, low, high = percents(margins)
        reached.append(np.concatenate([value, low, high]))
        at = np.arange(len(explainers)) * (len(defenses) + 1.0) + place
        axes.barh(
            at, value, height=0.8, color=mixed(colour, 0.35), label=words.wrapped(words.defense(defense), 40)
        )
        axes.plot(value, at, mark, color=colour, markersize=4)
        # From its own middle: the estimate may lie outside its bootstrap interval.
        axes.errorbar((low + high) / 2, at, xerr=(high - low) / 2, fmt="none", color=colour, capsize=3)
    middle = np.arange(len(explainers)) * (len(defenses) + 1.0) + (len(defenses) - 1) / 2
    axes.set_yticks(middle, [words.folded(name, 16) if look.narrow else name for name in explainers])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(explainers) * (len(defenses) + 1.0) - 1.2, -0.8)
    _reach(axes, report, np.concatenate(reached))
    axes.axvline(0.0, color=ink(0.75), linewidth=1.0)
    rate = words.false_alarms(headline.rate(report.leakage))
    said = f"percentage points of training records caught\nat {rate}, with 95 % intervals"
    axes.set_xlabel(words.folded(said.replace("\n", " "), 22) if look.narrow else said)
    axes.set_title(
        "What the explanation adds\nto the prediction"
        if look.narrow
        else "What the explanation adds to the prediction",
        loc="left",
    )
    single = look.narrow or max(map(len, defenses)) > 36
    figure.legend(loc="outside lower center", ncols=1 if single else 2)
    return figure


def _reach(axes: "Axes", report: Report, shown: np.ndarray) -> None:
    """The axis is as wide as what is shown asks, whatever the floor is; a floor that is wider is said in words."""
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = 0.06 * (high - low)
    axes.set_xlim(low - room, high + room)
    least = report.smallest_margin
    if not words.measured(least.value) or least.fpr != headline.rate(report.leakage):
        return
    seen = 100.0 * least.value
    label = "below the weakest planted leak that showed"
    if seen > high + room:
        label += f":\n±{words.hundredths(least.value)} points, wider than this figure"
    axes.axvspan(-seen, seen, color=ink(0.12), zorder=0, label=label)


def roc(report: Report, look: Look = LOOKS[""]) -> "Figure | None":
    """The log-log ROC of the explainer that leaks most: a panel for the plain one and one per defense."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    worst = headline.worst(report.leakage)
    if worst is None:
        return None
    explainer = worst.explainer
    panels = [name for name in headline.defenses(report.leakage) if curve_of(report, "both", explainer, name)]
    if not panels:
        return None
    columns = 1 if look.narrow else 2 if len(panels) == 4 else min(len(panels), COLUMNS)
    lines = -(-len(panels) // columns)
    # Room for titles of two lines and the legend, beside panels that are squares.
    size = (PHONE if look.narrow else 1.0 + 3.7 * columns, (2.6 if look.narrow else 1.9) + 3.6 * lines)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for spare in axes[len(panels) :]:
        spare.remove()
    for place, (panel, defense) in enumerate(zip(axes, panels, strict=False)):
        _panel(panel, report, explainer, defense)
        left, bottom = place % columns == 0, place + columns >= len(panels)
        panel.set(xlabel="false alarms" if bottom else "", ylabel="training records caught" if left else "")
        panel.tick_params(labelleft=left, labelbottom=bottom)
    title = "Training records caught against false alarms:"
    title = words.folded(f"{title} {explainer}", 34) if columns == 1 else f"{title} {explainer}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11 if columns == 1 else 12)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=1 if look.narrow else (2, 3, 5)[columns - 1]
    )
    return figure


def _panel(axes: "Axes", report: Report, explainer: str, defense: str) -> None:
    plot.roc(report, axes, explainer=explainer, defense=defense)
    row = headline.row(report.leakage, "both", explainer, defense)
    if row and row.nonmembers:
        attained = row.false_positives_allowed[headline.rate(report.leakage)] / row.nonmembers
        if attained > 0:
            axes.axvline(attained, color=VERMILION, linewidth=1.0, label="headline rate, as attained")
    axes.set(aspect="equal")
    axes.set_title(words.wrapped(words.defense(defense), 30), loc="left")


def curve(report: Report, look: Look = LOOKS[""]) -> "Figure | None":
    """What an explainer gives away under each defense against what is left of its use: see `recommend.about`."""
    from matplotlib.figure import Figure

    worst = recommend.about(report)
    if worst is None or not any(
        row.explainer == worst.explainer and row.defense != headline.PLAIN for row in report.utility
    ):
        return None
    figure = Figure(
        figsize=(PHONE if look.narrow else 8.0, 5.2 if look.narrow else 4.2), layout="constrained"
    )
    axes = plot.leakage_utility(
        report, figure.add_subplot(), explainer=worst.explainer, release=worst.release
    )
    axes.axvline(0.0, color=ink(0.5), linewidth=1.0, linestyle=":", label="an unrelated explanation")
    front = _front(axes)
    axes.plot(*front, color=ink(0.35), linewidth=1.0, zorder=0, label="best of those tried")
    found = recommend.recommended(report)
    if found is not None:
        row = headline.row(report.leakage, "both", found.explainer, found.defense, release=worst.release)
        added = 100.0 * headline.margin(report.leakage, row).value if row else 0.0
        ring: dict[str, Any] = {
            "markersize": 15,
            "fillstyle": "none",
            "markeredgewidth": 2.0,
            "linestyle": "none",
        }
        axes.plot([found.utility.cosine.value], [added], "o", color=ink(), label="recommended", **ring)
    axes.set_xlim(min(-0.05, axes.get_xlim()[0]), 1.05)
    handles, labels = axes.get_legend_handles_labels()
    labels = [words.wrapped(label, 40) for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=1 if look.narrow else 2)
    return figure


def _front(axes: "Axes") -> tuple[list[float], list[float]]:
    """The marks that no other beats in both, from the most useful to the one that leaks least."""
    marks = [
        tuple(float(np.asarray(data)[0]) for data in (line.get_xdata(), line.get_ydata()))
        for line in axes.lines
        if line.get_marker() not in ("None", "")
    ]
    best: list[tuple[float, float]] = []
    for kept, leaked in sorted(marks, reverse=True):
        if not best or leaked < best[-1][1]:
            best.append((kept, leaked))
    return [kept for kept, _ in best], [leaked for _, leaked in best]


def _draws(report: Report) -> dict[str, Draw]:
    """Who draws each figure, by its name."""
    drawn = dict(CHARTS)
    for explainer in headline.explainers(report.leakage):
        drawn[examples_of(explainer)] = _examples(explainer)
    return drawn


def _examples(explainer: str) -> Draw:
    return lambda report, look: maps.draw(report, explainer)


CHARTS: Mapping[str, Draw] = MappingProxyType({"leakage": bars, "roc": roc, "hardening": curve})
