"""The figures of a root-cause analysis, as PNG bytes: every sweep, and the coefficients of the regressions."""

from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate.headline import unique
from leakjax.papers.root_cause.document import OUTCOMES, CaseRow, RootCause
from leakjax.papers.root_cause.regression import ACCOUNTED, TWO
from leakjax.report.looks import WIDE, drawn, ink
from leakjax.report.plot import BLUE, GREEN, INK, MARKS, VERMILION, percents

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.figure import Figure

SWEEPS, EFFECTS = "sweeps", "effects"
_COLUMNS = 3
_LINES = {
    "alone": (BLUE, "s", "the explanation alone"),
    "label": (INK, "o", "the label alone"),
    "beside_label": (VERMILION, "^", "added to the label"),
    "beside_vector": (GREEN, "D", "added to all probabilities"),
}
_TITLES = {
    "alone": "the explanation alone",
    "beside_label": "added to the label",
    "beside_vector": "added to all probabilities",
}


def images(found: RootCause) -> dict[str, bytes]:
    """Every figure that the results allow, by name."""
    return drawn(
        {
            SWEEPS: lambda look: sweeps(found) if found.cases else None,
            EFFECTS: lambda look: coefficients(found) if found.effects else None,
        },
        WIDE,
    )


def sweeps(found: RootCause) -> "Figure":
    """One panel a sweep: what leaks along it, in points of AUC above chance, with 95 % intervals."""
    from matplotlib.figure import Figure

    names = unique(case.sweep for case in found.cases)
    columns = min(_COLUMNS, len(names))
    lines = -(-len(names) // columns)
    width = 4.0 * max(columns, 2)  # the legend needs two
    figure = Figure(figsize=(width, 0.8 + 3.0 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for spare in panels[len(names) :]:
        spare.remove()
    for panel, name in zip(panels, names, strict=False):
        own = sorted((case for case in found.cases if case.sweep == name), key=lambda case: case.place)
        at = np.arange(len(own))
        for place, (field, (colour, mark, label)) in enumerate(_LINES.items()):
            value, low, high = percents([getattr(case, field) for case in own])
            shade = colour or ink()
            shifted = at + 0.08 * (place - 1.5)
            joined = "none" if name == "method" else "-"
            panel.plot(shifted, value, mark, color=shade, markersize=4, linestyle=joined, lw=1, label=label)
            panel.errorbar(
                shifted, (low + high) / 2, yerr=(high - low) / 2, fmt="none", color=shade, capsize=2, lw=1
            )
        panel.axhline(0.0, color=ink(0.4), linewidth=0.8)
        panel.set_title(name, loc="left")
        many = len(own) > 4 or any(len(case.setting) > 11 for case in own)
        panel.set_xticks(at, [_short(case) for case in own], rotation=25 if many else 0)
        panel.tick_params(axis="x", labelsize=8)
    for panel in panels[::columns][:lines]:
        panel.set_ylabel("AUC above chance, points")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4 if columns == _COLUMNS else 2)
    return figure


def coefficients(found: RootCause) -> "Figure":
    """The effects of sparsity and sensitivity on each outcome, by what else is in the regression."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 3.6), layout="constrained")
    panels = figure.subplots(1, len(OUTCOMES), sharey=True)
    for panel, outcome in zip(panels, OUTCOMES, strict=True):
        for place, name in enumerate(TWO):
            own = [one for one in found.effects if (one.outcome, one.property) == (outcome, name)]
            height = [list(ACCOUNTED).index(one.accounted) + 0.18 * (2 * place - 1) for one in own]
            value, low, high = percents([one.effect for one in own]) / 100.0
            colour, mark = MARKS[place]
            panel.plot(value, height, mark, color=colour, label=name)
            panel.errorbar(
                (low + high) / 2, height, xerr=(high - low) / 2, fmt="none", color=colour, capsize=3
            )
        panel.axvline(0.0, color=ink(0.75), linewidth=1.0)
        panel.set_title(_TITLES[outcome], loc="left")
        panel.set_xlabel("points of AUC per standard deviation")
    panels[0].set_yticks(range(len(ACCOUNTED)), [f"accounted for:\n{words}" for words in ACCOUNTED])
    panels[0].set_ylim(len(ACCOUNTED) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _short(case: CaseRow) -> str:
    return case.setting.replace(" classes", "").replace(" features", "").replace(" units", "")
