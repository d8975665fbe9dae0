"""The figures of a monitoring study, as PNG bytes."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from leakjax.monitoring.alarms import ANY
from leakjax.monitoring.document import MonitorReport
from leakjax.monitoring.rows import LEADING
from leakjax.report import words
from leakjax.report.looks import LOOKS, PHONE, Look, drawn, ink
from leakjax.report.plot import MARKS

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.figure import Figure


def images(report: MonitorReport) -> dict[str, bytes]:
    """Every figure, by file name without suffix."""
    return drawn({"caught": partial(caught, report), "race": partial(race, report)})


def caught(report: MonitorReport, look: Look = LOOKS[""]) -> "Figure":
    """The share of attacks that any monitor of an account catches, by disguise, with intervals."""
    from matplotlib.figure import Figure

    rows = [row for row in report.attacks if row.detector == ANY]
    attackers = [one.attacker for one in report.attackers]
    disguises = list(dict.fromkeys(row.disguise for row in rows))
    figure = Figure(figsize=(PHONE, 5.2) if look.narrow else (8.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for place, how in enumerate(disguises):
        own = [row for row in rows if row.disguise == how]
        across = np.array([attackers.index(row.attacker) for row in own]) + 0.14 * (place - 2)
        value, low, high = np.array(
            [(one.tpr[LEADING].value, one.tpr[LEADING].low, one.tpr[LEADING].high) for one in own]
        ).T
        colour, mark = MARKS[place % len(MARKS)]
        axes.plot(across, 100 * value, mark, color=colour, markersize=5, label=_worded(how))
        middle, half = 50 * (low + high), 50 * (high - low)
        axes.errorbar(across, middle, yerr=half, fmt="none", color=colour, capsize=2, linewidth=1)
    axes.axhline(90, color=ink(0.4), linewidth=1.0, linestyle=":")
    names = [name.replace("_", " " if look.narrow else "\n") for name in attackers]
    axes.set_xticks(range(len(attackers)), names, rotation=60 if look.narrow else 0)
    said = "attacks that alarm (%), at 1 % of benign accounts"
    axes.set(ylim=(-4, 104), ylabel=words.folded(said, 26) if look.narrow else said)
    figure.legend(loc="outside upper center", ncols=1 if look.narrow else len(disguises))
    return figure


def race(report: MonitorReport, look: Look = LOOKS[""]) -> "Figure":
    """How far undisguised attacks are when the alarm comes, beside what they reach with nobody watching."""
    from matplotlib.figure import Figure

    rows = {row.attacker: row for row in report.attacks if row.detector == ANY and row.disguise == "none"}
    figure = Figure(figsize=(PHONE, 4.6) if look.narrow else (8.5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    height = np.arange(len(report.attackers))
    ends = [one.reached for one in report.attackers]
    alarms = [rows[one.attacker].reached[LEADING] for one in report.attackers]
    goals = [one.goal for one in report.attackers]
    axes.barh(height, ends, color=ink(0.15), height=0.6, label="reached where nobody watches")
    axes.barh(height, alarms, color=MARKS[1][0], height=0.3, label="reached at the alarm, or without one")
    axes.plot(goals, height, "|", color=MARKS[0][0], markersize=16, markeredgewidth=2, label="goal")
    between = "\n" if look.narrow else " "
    axes.set_yticks(height, [one.attacker.replace("_", between) for one in report.attackers])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel="progress of the attack, median")
    figure.legend(loc="outside upper center", ncols=1 if look.narrow else 3)
    return figure


def _worded(how: str) -> str:
    said = {"none": "undisguised", "decoys_50": "50 % decoys", "decoys_90": "90 % decoys"}
    return said.get(how, "over 30 accounts" if how == "split_30" else how)
