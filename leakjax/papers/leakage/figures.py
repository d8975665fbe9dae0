"""The figures of a leakage profile, as PNG bytes: the ranking of explainers, and stacked beside attacks before it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate.document import Estimate
from leakjax.evaluate.headline import unique
from leakjax.papers.leakage.document import LeakageProfile
from leakjax.papers.leakage.judged import STACKED
from leakjax.report import words
from leakjax.report.looks import WIDE, drawn, ink
from leakjax.report.plot import BLUE, GREEN, INK, MARKS, ORANGE, VERMILION, percents

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANKING, BEFORE = "ranking", "earlier_attacks"
# One more than the attacks on maps that were reported before.
_RIVALS = (*MARKS, (INK, "x"), (VERMILION, "*"))
_COLOURS = (VERMILION, BLUE, GREEN, ORANGE)


def images(found: LeakageProfile) -> dict[str, bytes]:
    """Every figure by name; none where no explainer was attacked."""
    if not found.methods:
        return {}
    return drawn({RANKING: lambda look: ranking(found), BEFORE: lambda look: earlier(found)}, WIDE)


def ranking(found: LeakageProfile) -> "Figure":
    """The explainers in order: alone beside the label alone, and what each adds to every release."""
    figure, (alone, margins) = _two_panels(len(found.methods))
    height = np.arange(len(found.methods))
    _marks(alone, height, [row.alone for row in found.methods], BLUE, "s", "the explanation alone")
    alone.plot(
        [100 * row.label for row in found.methods], height, "|", color=ink(), markersize=14, mew=2,
        label="the label alone, same points",
    )  # fmt: skip
    rate = found.methods[0].headline_fpr
    alone.set_xlabel(f"training records caught, %,\nat {words.false_alarms(rate)}")
    releases = list(found.methods[0].margins)
    step = 0.8 / len(releases)
    for place, release in enumerate(releases):
        at = height - 0.4 + step * (place + 0.5)
        colour, (_, mark) = _COLOURS[place % len(_COLOURS)], MARKS[place % len(MARKS)]
        each = [row.margins[release].tpr_at_fpr[rate] for row in found.methods]
        _marks(margins, at, each, colour, mark, f"beside {release}")
    most = max((row.queries for row in found.neighbours), default=0)
    for nearby in (row for row in found.neighbours if row.queries == most and row.release in releases):
        colour = _COLOURS[releases.index(nearby.release) % len(_COLOURS)]
        value = nearby.margin.tpr_at_fpr[rate].value
        margins.axvline(100 * value, color=colour, linewidth=1.2, linestyle=":")
    margins.axvline(0.0, color=ink(0.75), linewidth=1.0)
    margins.set_xlabel(f"the explanation adds, percentage points\n(dotted: {most} further queries add)")
    names = [
        f"{row.explainer}{'' if row.points == found.task.points else f', {row.points} points'}"
        for row in found.methods
    ]
    alone.set_yticks(height, names)
    alone.set_ylim(len(found.methods) - 0.4, -0.6)
    for place, axes in enumerate((alone, margins)):
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=1, fontsize=9)
        axes.grid(axis="x", color=ink(0.12))
        axes.tick_params(labelleft=place == 0)
    return figure


def earlier(found: LeakageProfile) -> "Figure":
    """What each attack on the map alone catches, method by method."""
    from matplotlib.figure import Figure

    rows = [row for row in found.beyond if row.view == "explanation" and row.stronger == STACKED]
    explainers = [row.explainer for row in found.methods]
    figure = Figure(figsize=(8.5, 2.2 + 0.34 * len(explainers)), layout="constrained")
    axes = figure.add_subplot()
    rate = found.methods[0].headline_fpr
    ours = [row.alone for row in found.methods]
    _marks(axes, np.arange(len(explainers)), ours, INK, "s", STACKED)
    for place, attack in enumerate(unique(row.attack for row in rows)):
        own = {row.explainer: row.theirs[rate] for row in rows if row.attack == attack}
        at = np.array([explainers.index(name) for name in own]) + 0.12 + 0.09 * place
        colour, mark = _RIVALS[place % len(_RIVALS)]
        reported = next(row.reported_by for row in rows if row.attack == attack)
        axes.plot(
            [100 * one.value for one in own.values()], at, mark, color=colour or ink(), markersize=4,
            label=f"{_short(attack)} ({reported})",
        )  # fmt: skip
    axes.set_yticks(np.arange(len(explainers)), explainers)
    axes.set_ylim(len(explainers) - 0.2, -0.6)
    axes.set_xlabel(f"training records caught by the map alone, %, at {words.false_alarms(rate)}")
    axes.grid(axis="x", color=ink(0.12))
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _two_panels(rows: int) -> "tuple[Figure, tuple[Axes, Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 2.2 + 0.36 * rows), layout="constrained")
    one, other = figure.subplots(1, 2, sharey=True)
    return figure, (one, other)


def _marks(
    axes: "Axes", height: np.ndarray, each: Sequence[Estimate], colour: str, mark: str, label: str
) -> None:
    value, low, high = percents(each)
    shade = colour or ink()
    axes.plot(value, height, mark, color=shade, markersize=5, label=label)
    axes.errorbar((low + high) / 2, height, xerr=(high - low) / 2, fmt="none", color=shade, capsize=2)


def _short(attack: str) -> str:
    """The name of an attack with its signal or its information, without what is said of training."""
    name, _, options = attack.rstrip(")").partition("(")
    told = [one.partition("=")[2].strip("'") for one in options.split(", ") if "epochs" not in one]
    return f"{name}: {', '.join(told)}" if any(told) else name
