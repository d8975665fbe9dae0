"""What a search found: report.json, tables/*.csv, and the figure of the fronts."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import Estimate, dumps
from leakjax.hardening.document import HardeningReport, MeasuredRow
from leakjax.report import markdown, tables_csv
from leakjax.report.looks import ink, png
from leakjax.report.plot import BLUE, ORANGE, SKY, VERMILION

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS = {"predicted": (ORANGE, "o"), "true": (BLUE, "s"), "reference": (SKY, "D")}
_COLUMNS = 4
_MARK = {"recommended": " *", "averaged": ", the mean of {} answers of *", "denoised": " *, denoised"}
_HEAD = ("explainer", "class", "defense", "margin, points", "cut", "lost", "vector margin, points", "cosine")


def publish(report: HardeningReport, workdir: str | os.PathLike[str] | Workdir) -> list[Path]:
    """Writes report.json, tables/*.csv and figures/front.png.

    Args:
      report: from `leakjax.hardening.harden`.
      workdir: where to.

    Returns:
      The paths of the files.
    """
    write = writer(workdir)
    contents = {"report.json": dumps(report).encode(), "figures/front.png": png(figure(report))}
    contents |= tables_csv.files(report)
    return [write(name, content) for name, content in contents.items()]


def table(report: HardeningReport) -> str:
    """What was measured on the targets at 1 % false alarms, in Markdown; a star marks what is recommended."""
    return markdown.table(_HEAD, map(_row, report.measured))


def sentences(report: HardeningReport) -> list[str]:
    """What is recommended for each explainer, and how alike the two attacks rank the front."""
    found = []
    for one in report.recommended:
        rank = (
            f"the cheap attack and the audit's rank {one.settings} settings of the front alike to "
            f"{one.rank_correlation:.2f} (Spearman)"
            if math.isfinite(one.rank_correlation)
            else f"{one.settings} settings of the front are too few to rank"
        )
        found.append(
            f"{one.explainer}: explain the {one.explained_class} class through {one.defense}; utility is "
            f"{one.figure.replace('_', ' ')}; {rank}"
        )
    return found


def figure(report: HardeningReport) -> "Figure":
    """The fronts, one panel an explainer: what the explanation adds to the label against the utility that is lost."""
    from matplotlib.figure import Figure

    names = [one.explainer for one in report.recommended]
    columns = min(_COLUMNS, len(names))
    lines = math.ceil(len(names) / columns)
    drawn = Figure(figsize=(3.6 * columns, 3.2 * lines), layout="constrained")
    panels = drawn.subplots(lines, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        _panel(panel, report, name)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    return drawn


def _panel(axes: "Axes", report: HardeningReport, explainer: str) -> None:
    tried = [one for one in report.tried if one.explainer == explainer]
    best = next(one for one in report.recommended if one.explainer == explainer)
    for policy, (colour, mark) in _MARKS.items():
        some = [one for one in tried if one.explained_class == policy]
        if some:
            axes.scatter(
                [100 * one.lost for one in some],
                [100 * one.excess for one in some],
                s=7,
                alpha=0.35,
                color=colour,
                marker=mark,
                linewidths=0,
                label=f"{policy} class",
            )
    front = sorted((one for one in tried if one.front), key=lambda one: one.lost)
    axes.step(
        [100 * one.lost for one in front],
        [100 * one.excess for one in front],
        where="post",
        color=ink(),
        linewidth=1.2,
        label="front",
    )
    chosen = [
        one for one in front if (one.explained_class, one.defense) == (best.explained_class, best.defense)
    ]
    axes.scatter(
        [100 * one.lost for one in chosen],
        [100 * one.excess for one in chosen],
        s=70,
        color=VERMILION,
        marker="*",
        zorder=3,
        label="recommended",
    )
    axes.set(title=explainer, xlabel=f"{best.figure.replace('_', ' ')} lost, %")
    axes.set(ylabel="added to the label, points")
    axes.set_xlim(min(-2.0, *(100 * one.lost for one in front)), 60)
    axes.legend(fontsize=7)


def _row(row: MeasuredRow) -> tuple[str, ...]:
    cosine = "" if math.isnan(row.cosine) else f"{row.cosine:.3f}"
    return (
        row.explainer,
        row.explained_class,
        f"`{row.defense}`" + _MARK.get(row.role, "").format(row.repeats),
        _points(row.margin),
        _share(row.cut) if row.counts else "nothing to cut",
        _share(row.lost) if math.isfinite(row.lost.value) else "at chance",
        _points(row.margin_vector),
        cosine,
    )


def _points(value: Estimate) -> str:
    return f"{100 * value.value:.2f} ({100 * value.low:.2f} to {100 * value.high:.2f})"


def _share(value: Estimate) -> str:
    return f"{100 * value.value:.0f} % ({100 * value.low:.0f} to {100 * value.high:.0f})"
