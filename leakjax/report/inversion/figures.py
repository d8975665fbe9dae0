"""The figures of an inversion study as PNG bytes: reconstructions side by side, and guards under attacks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakjax.inversion.document import AttackRow, InversionReport
from leakjax.records.run import Measured
from leakjax.report.looks import WIDE, drawn

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.figure import Figure


def images(report: InversionReport, measured: Measured) -> dict[str, bytes]:
    """Every figure that the results allow, by file name without suffix.

    Args:
      report: what was found.
      measured: from `run_units`, for the reconstructions of one model's answers.
    """
    rows: dict[str, Any] = {}
    for units in measured.rows.values():
        for unit in units:
            rows |= unit["pictures"]
    return drawn(
        {
            "reconstructions": lambda look: reconstructions(rows),
            "guards": lambda look: guards(report.attacks),
        },
        WIDE,
    )


def reconstructions(rows: Mapping[str, Sequence[Any]]) -> "Figure | None":
    """Rows of images [columns, height, width] under their names, what was sought first."""
    from matplotlib.figure import Figure

    if not rows:
        return None
    columns = max(len(each) for each in rows.values())
    figure = Figure(figsize=(2.4 + 0.7 * columns, 0.75 * len(rows) + 0.2), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for axis in line:
            axis.axis("off")
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(np.asarray(picture, float), cmap="gray_r", vmin=0.0, vmax=1.0)
        line[0].set_title(name, loc="left", fontsize=8, pad=2)
    return figure


def guards(rows: Sequence[AttackRow]) -> "Figure | None":
    """What is left of each attack's gain under each guard, for attacks that met guards."""
    from matplotlib.figure import Figure

    left = kept(rows)
    attacks = list(dict.fromkeys(attack for attack, _ in left))
    names = list(dict.fromkeys(guard for _, guard in left))
    if not left:
        return None
    shares = np.array([[left.get((attack, guard), np.nan) for attack in attacks] for guard in names])
    figure = Figure(figsize=(3.0 + 1.1 * len(attacks), 1.6 + 0.3 * len(names)), layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(shares, cmap="Reds", vmin=0.0, vmax=1.0, aspect="auto")
    axis.set_xticks(range(len(attacks)), attacks, rotation=30, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    for (line, place), share in np.ndenumerate(shares):
        if np.isfinite(share):
            colour = "white" if share > 0.6 else "black"
            axis.text(place, line, f"{share:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axis.set_title("what is left of the explanation's gain", loc="left", fontsize=10)
    return figure


def kept(rows: Sequence[AttackRow]) -> dict[tuple[str, str], float]:
    """(attack, guard) -> the margin under the guard over the margin without, 0 to 1, by each attack's first measure."""
    found: dict[tuple[str, str], float] = {}
    for name in dict.fromkeys(row.attack for row in rows if row.guard != "none"):
        own = [row for row in rows if row.attack == name and row.margin is not None]
        guarded = [row for row in own if row.guard != "none"]
        if not guarded:
            continue
        key = (guarded[0].setting, guarded[0].measure)
        plain = [row for row in own if row.guard == "none" and (row.setting, row.measure) == key]
        if not plain or plain[0].margin is None or not plain[0].margin.value:
            continue
        for row in guarded:
            if (row.setting, row.measure) == key and row.margin is not None:
                found[name, row.guard] = float(np.clip(row.margin.value / plain[0].margin.value, 0.0, 1.0))
    return found
