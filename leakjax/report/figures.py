"""The figures of a report, as matplotlib figures and as PNG files.

Drawn with the object interface and no global state; equal reports give equal bytes. The colours are those of
Okabe and Ito (2008), which the colour-blind can tell apart.
"""

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from leakjax.evaluate import headline
from leakjax.evaluate.document import Estimate, Report
from leakjax.report import maps, plot, words
from leakjax.report.plot import MARKS, VERMILION, curve_of, percents

if TYPE_CHECKING:  # drawing is optional work: matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.0,
    "legend.frameon": False,
    "text.parse_math": False,  # names of the user's may hold a dollar
    "figure.facecolor": "white",
}
DPI = 120
COLUMNS = 3


def images(report: Report) -> dict[str, bytes]:
    """Every figure of a report as a PNG: "leakage", "roc", and the examples of each explainer."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        drawn = {"leakage": bars(report), "roc": roc(report)}
        for explainer in headline.explainers(report.leakage):
            drawn[examples_of(explainer)] = maps.draw(report, explainer)
        return {name: png(figure) for name, figure in drawn.items() if figure is not None}


def examples_of(explainer: str) -> str:
    """The name of the figure with an explainer's examples; any explainer's name makes a file name."""
    return f"examples_{quote(explainer, safe='')}"


def bars(report: Report) -> "Figure | None":
    """What each explanation adds to the prediction, with intervals: a group of bars per explainer."""
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    explainers, defenses = headline.explainers(report.leakage), headline.defenses(report.leakage)
    if not explainers:
        return None
    figure = Figure(figsize=(8.0, 1.7 + 0.28 * len(explainers) * (len(defenses) + 1)), layout="constrained")
    axes = figure.add_subplot()
    for place, defense in enumerate(defenses):
        colour, mark = MARKS[place % len(MARKS)]
        rows = [headline.row(report.leakage, "both", explainer, defense) for explainer in explainers]
        unknown = Estimate(np.nan, np.nan, np.nan)
        margins = [headline.margin(report.leakage, row) if row else unknown for row in rows]
        value, low, high = percents(margins)
        height = np.arange(len(explainers)) * (len(defenses) + 1.0) + place
        tint = 0.35 * np.array(to_rgb(colour)) + 0.65
        axes.barh(height, value, height=0.8, color=tint, label=words.defense(defense))
        axes.plot(value, height, mark, color=colour, markersize=4)
        # From its own middle: the estimate may lie outside its bootstrap interval.
        axes.errorbar((low + high) / 2, height, xerr=(high - low) / 2, fmt="none", color=colour, capsize=3)
    middle = np.arange(len(explainers)) * (len(defenses) + 1.0) + (len(defenses) - 1) / 2
    axes.set_yticks(middle, explainers)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(explainers) * (len(defenses) + 1.0) - 1.2, -0.8)
    least = report.smallest_margin
    if words.measured(least.value) and least.fpr == headline.rate(report.leakage):
        seen = 100.0 * least.value
        axes.axvspan(-seen, seen, color="0.88", zorder=0, label="below the weakest planted leak that showed")
    axes.axvline(0.0, color="0.3", linewidth=1.0)
    rate = words.false_alarms(headline.rate(report.leakage))
    axes.set_xlabel(f"percentage points of training records caught\nat {rate}, with 95 % intervals")
    axes.set_title("What the explanation adds to the prediction", loc="left")
    figure.legend(loc="outside lower center", ncols=1 if max(map(len, defenses)) > 36 else 2)
    return figure


def roc(report: Report) -> "Figure | None":
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
    columns = min(len(panels), COLUMNS)
    lines = -(-len(panels) // columns)
    size = (1.0 + 3.7 * columns, 1.2 + 3.6 * lines)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for spare in axes[len(panels) :]:
        spare.remove()
    for place, (panel, defense) in enumerate(zip(axes, panels, strict=False)):
        _panel(panel, report, explainer, defense)
        left, bottom = place % columns == 0, place + columns >= len(panels)
        panel.set(xlabel="false alarms" if bottom else "", ylabel="training records caught" if left else "")
        panel.tick_params(labelleft=left, labelbottom=bottom)
    figure.suptitle(
        f"Training records caught against false alarms: {explainer}", x=0.01, ha="left", fontsize=12
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=(2, 3, 5)[columns - 1])
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


def png(figure: "Figure") -> bytes:
    """A figure as the bytes of a PNG at DPI."""
    content = io.BytesIO()
    # Without the metadata, which names the version of matplotlib.
    figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})
    return content.getvalue()
