"""The figure of a hardening profile, as PNG bytes: what each hardening cuts and costs, explainer by explainer."""

from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate.headline import unique
from leakjax.papers.hardened.document import PLAIN, HardeningProfile
from leakjax.report.looks import WIDE, drawn, ink
from leakjax.report.plot import MARKS, percents

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.figure import Figure

PROFILE = "hardening"
_PANELS = (
    ("margin", "added to the label, points"),
    ("alone", "caught by the map alone, %"),
    ("lost", "quoted figure of utility lost, %"),
    ("lost_mask", "mask correlation lost, %"),
)
# Losses beyond these leave the picture: all of the figure is lost, and more says no more.
_WORST = (-30.0, 130.0)


def images(found: HardeningProfile) -> dict[str, bytes]:
    """The figure, where an explainer was attacked."""
    return drawn({PROFILE: lambda look: profile(found) if found.rows else None}, WIDE)


def profile(found: HardeningProfile) -> "Figure":
    """Four panels that share their explainers: two of leakage, two of utility."""
    from matplotlib.figure import Figure

    names = unique(row.explainer for row in found.rows)
    kinds = unique(row.hardening for row in found.rows)
    figure = Figure(figsize=(14.0, 1.8 + 0.45 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for panel, (field, label) in zip(panels, _PANELS, strict=True):
        for place, kind in enumerate(kinds):
            if kind == PLAIN and field.startswith("lost"):
                continue
            own = [row for row in found.rows if row.hardening == kind]
            at = np.array([names.index(row.explainer) for row in own]) + 0.8 / len(kinds) * (
                place - (len(kinds) - 1) / 2
            )
            colour, mark = MARKS[place % len(MARKS)]
            if field == "lost_mask":
                value = np.clip([100 * row.lost_mask for row in own], *_WORST)
            else:
                value, low, high = percents([getattr(row, field) for row in own])
                if field == "lost":
                    value, low, high = (np.clip(each, *_WORST) for each in (value, low, high))
                panel.errorbar(
                    (low + high) / 2, at, xerr=(high - low) / 2, fmt="none", color=colour, capsize=2
                )
            panel.plot(value, at, mark, color=colour, markersize=4, label=kind)
        panel.axvline(0.0, color=ink(0.75), linewidth=1.0)
        panel.grid(axis="x", color=ink(0.12))
        panel.set_xlabel(label)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
