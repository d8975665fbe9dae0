"""Single pictures for a notebook or a paper: each draws on the Axes it is given, or new ones, and returns them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakjax._validate import fail, one_of
from leakjax.evaluate import headline
from leakjax.evaluate.document import NONE, Curve, Estimate, Report
from leakjax.report import maps, words
from leakjax.report.looks import ink

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORANGE, SKY, GREEN = "#E69F00", "#56B4E9", "#009E73"
INK = ""  # in place of a colour: that of letters, `ink()`, which is light on dark paper
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
# The line of the prediction is broad and below, so that one that runs on it leaves it visible.
VIEWS: dict[str, tuple[str, str, float, str]] = {
    "prediction": (INK, "-", 3.6, "prediction alone"),
    "explanation": (ORANGE, "--", 1.6, "explanation alone"),
    "both": (BLUE, "-", 1.4, "prediction and explanation"),
}
MARKS = ((VERMILION, "o"), (BLUE, "s"), (GREEN, "D"), (PURPLE, "^"), (ORANGE, "v"), (SKY, "P"))


def roc(
    report: Report, axes: "Axes | None" = None, *, explainer: str | None = None, defense: str = NONE
) -> "Axes":
    """The log-log ROC curves of the three views, from the least false-positive rate that could be attained.

    Args:
      report: what an audit found.
      axes: where to draw; new ones if None.
      explainer: its name; the one that leaks most if None.
      defense: its name.

    Raises:
      UsageError: the report has no such curve.
    """
    explainer = _explainer(report, explainer)
    row = headline.row(report.leakage, "both", explainer, defense)
    if row is None:
        raise fail("defense", defense, f"is none under which {explainer} was audited")
    axes = _axes(axes)
    least = 1.0 / max(row.nonmembers, 1)
    axes.plot([least, 1.0], [least, 1.0], color=ink(0.4), linewidth=1.0, linestyle=":", label="guessing")
    for view, (colour, line, width, label) in VIEWS.items():
        own = (NONE, NONE) if view == "prediction" else (explainer, defense)
        curve = curve_of(report, view, *own)
        if curve is not None:
            fpr, tpr = np.array(curve.fpr), np.array(curve.tpr)
            shown = fpr >= least
            axes.plot(
                fpr[shown], tpr[shown], color=colour or ink(), linestyle=line, linewidth=width, label=label
            )
    axes.set(xscale="log", yscale="log", xlim=(least, 1.0), ylim=(least, 1.0))
    axes.set(xlabel="false alarms", ylabel="training records caught")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{100.0 * share:g} %")
    return axes


def margin(report: Report, axes: "Axes | None" = None, *, release: str | None = None) -> "Axes":
    """What each explanation adds to the prediction, with intervals: a group of marks for each explainer.

    Args:
      report: what an audit found.
      axes: where to draw; new ones if None.
      release: the release of the prediction; the leading one if None.

    Raises:
      UsageError: the report has no such release, or no explanation at all.
    """
    rows = _rows(report, release)
    axes = _axes(axes)
    explainers = headline.unique(row.explainer for row in rows)
    defenses = headline.unique(row.defense for row in rows)
    step = len(defenses) + 1.0
    for place, defense in enumerate(defenses):
        own = [row for row in rows if row.defense == defense]
        height = np.array([explainers.index(row.explainer) * step + place for row in own])
        value, low, high = percents([headline.margin(report.leakage, row) for row in own])
        colour, mark = MARKS[place % len(MARKS)]
        axes.plot(value, height, mark, color=colour, markersize=5, label=words.defense(defense))
        # From its own middle: the estimate may lie outside its bootstrap interval.
        axes.errorbar((low + high) / 2, height, xerr=(high - low) / 2, fmt="none", color=colour, capsize=3)
    axes.axvline(0.0, color=ink(0.75), linewidth=1.0)
    axes.set_yticks(np.arange(len(explainers)) * step + (len(defenses) - 1) / 2, explainers)
    axes.set_ylim(len(explainers) * step - 1.2, -0.8)
    axes.set_xlabel(
        f"the explanation adds, percentage points at {words.false_alarms(headline.rate(report.leakage))}"
    )
    return axes


def leakage_utility(
    report: Report,
    axes: "Axes | None" = None,
    *,
    explainer: str | None = None,
    utility: str = "cosine",
    release: str | None = None,
) -> "Axes":
    """What an explainer leaks under each defense against what is left of its use, with intervals of both.

    Args:
      report: what an audit found.
      axes: where to draw; new ones if None.
      explainer: its name; the one that leaks most if None.
      utility: "cosine" or "top_overlap", of the released explanation with the plain one.
      release: as in `margin`.

    Raises:
      UsageError: the report has no such explainer, measure or release.
    """
    one_of("utility", utility, ("cosine", "top_overlap"))
    explainer = _explainer(report, explainer)
    rows = [row for row in _rows(report, release) if row.explainer == explainer]
    axes = _axes(axes)
    for place, row in enumerate(rows):
        kept = next(one for one in report.utility if (one.explainer, one.defense) == (explainer, row.defense))
        (x, x_low, x_high), (y, y_low, y_high) = (
            percents([one]).ravel() for one in (getattr(kept, utility), headline.margin(report.leakage, row))
        )
        colour, mark = MARKS[place % len(MARKS)]
        axes.plot([x / 100], [y], mark, color=colour, label=words.defense(row.defense))
        axes.plot([x_low / 100, x_high / 100], [y, y], color=colour, linewidth=1.0)
        axes.plot([x / 100, x / 100], [y_low, y_high], color=colour, linewidth=1.0)
    axes.axhline(0.0, color=ink(0.75), linewidth=1.0)
    measures = {"cosine": "cosine to the plain explanation", "top_overlap": "most important features kept"}
    axes.set_xlabel(measures[utility])
    rate = words.false_alarms(headline.rate(report.leakage))
    axes.set_ylabel(f"the explanation adds,\npercentage points at {rate}")
    axes.set_title(explainer, loc="left")
    return axes


def attribution(
    values: Any, axes: "Axes | None" = None, *, names: Sequence[str] | None = None, most: int = 8
) -> "Axes":
    """One attribution: an image in red (for the class) and blue (against it), or bars for the largest features.

    Args:
      values: [height, width, channels], channels summed, or [features].
      axes: where to draw; new ones if None.
      names: of the features.
      most: how many features get a bar.

    Raises:
      UsageError: another shape, or not as many names as features.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim not in (1, 3):
        raise fail("values", array.shape, "must be [height, width, channels] or [features]")
    axes = _axes(axes)
    if array.ndim == 3:
        flat = array.sum(axis=-1)
        maps.image(axes, flat, maps.scale([flat]))
        axes.set(xticks=[], yticks=[])
        return axes
    if names is not None and len(names) != len(array):
        raise fail("names", len(names), f"must be as many as the {len(array)} features")
    shown = [f"feature {place}" for place in range(len(array))] if names is None else names
    top = np.argsort(-np.abs(array), kind="stable")[:most]
    maps.bars(axes, array[top], 1.05 * maps.scale([array]))
    axes.set_yticks(range(len(top)), [shown[place] for place in top])
    axes.invert_yaxis()
    return axes


def _axes(axes: "Axes | None") -> "Axes":
    if axes is not None:
        return axes
    from matplotlib.figure import Figure  # drawing is optional work

    return Figure(layout="constrained").add_subplot()


def _explainer(report: Report, explainer: str | None) -> str:
    if explainer is not None:
        one_of("explainer", explainer, headline.explainers(report.leakage))
        return explainer
    worst = headline.worst(report.leakage)
    if worst is None:
        raise fail("report", report.task.dataset, "holds no explanation")
    return worst.explainer


def _rows(report: Report, release: str | None) -> list[Any]:
    """The rows of the view "both" by the headline attack, of one release."""
    leading = headline.lead(report.leakage)
    if leading is None:
        raise fail("report", report.task.dataset, "holds no explanation")
    rows = [row for row in report.leakage if row.view == "both" and row.attack == leading.attack]
    one_of("release", release or leading.release, headline.unique(row.release for row in rows))
    return [row for row in rows if row.release == (release or leading.release)]


def curve_of(report: Report, view: str, explainer: str, defense: str) -> Curve | None:
    """The curve of the headline row of a view."""
    row = headline.row(report.leakage, view, explainer, defense)
    return None if row is None else next((one for one in report.curves if one.about == row.about), None)


def percents(estimates: Sequence[Estimate]) -> np.ndarray:
    """Value, low and high of each estimate in percent: [3, estimates]."""
    return 100.0 * np.array([(one.value, one.low, one.high) for one in estimates]).T
