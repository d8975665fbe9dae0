"""The report on a terminal, or in a file that a terminal is piped to."""

import os
import textwrap
from typing import TextIO

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leakjax.evaluate import headline
from leakjax.evaluate.document import Report
from leakjax.report import words

PIPED_WIDTH = 100


def show(report: Report, workdir: str | os.PathLike[str], *, file: TextIO | None = None) -> None:
    """Prints a report: what was attacked, what leaks, how hardening helps, controls, files.

    Args:
      report: what the audit found.
      workdir: where report.json, report.html and figures/ were written.
      file: where to print, standard output by default; unless it is a terminal, 100 columns, no colours.
    """
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    alarm = words.alarm(report)
    if alarm:
        console.print(Text(alarm, style="bold red"))
        console.print()
    _say(console, words.task(report), *words.exclusions(report))
    _say(console, words.lead(report), *words.hardening(report), *words.cost(report))
    console.print(_leakage(report))
    margins = [
        headline.margin(report.leakage, both) for _, _, both in headline.listed(report.leakage) if both
    ]
    if any(headline.reaches_zero(margin) for margin in margins):
        _say(console, "* No measurable extra leakage: the interval reaches 0.")
    if words.fewer(report):
        _say(console, *words.fewer(report))
    console.print(_controls(report))
    if report.left_out:
        _say(console, *words.left_out(report))
    _say(console, f"{words.sentence(words.floor(report))} Intervals are 95 %.")
    for name in ("report.html", "report.json", "figures"):
        console.print(Text(os.path.join(workdir, name)), soft_wrap=True)


def _say(console: Console, *sentences: str) -> None:
    for sentence in sentences:
        console.print(Text(sentence))
    console.print()


def _leakage(report: Report) -> Table:
    rate = words.false_alarms(headline.rate(report.leakage))
    leading = headline.lead(report.leakage)
    by = f" (attack: {leading.attack})" if leading else ""
    table = Table(
        title=f"Training records caught at {rate}{by}",
        title_justify="left",
        box=rich.box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    added = "the explanation adds,\npercentage points"
    for name in ("prediction and\nexplanation", added, "explanation\nalone", "\nAUC"):
        table.add_column(name, justify="right", no_wrap=True)
    alone = headline.row(report.leakage, "prediction")
    if alone is not None:
        tpr = words.percent(headline.tpr(report.leakage, alone).value)
        table.add_row("prediction alone", tpr, "", "", words.area(alone.auc.value))
    for explainer, defense, both in headline.listed(report.leakage):
        if both is None:
            table.add_row(Text(explainer))
            continue
        name = explainer if defense == headline.PLAIN else textwrap.indent(words.wrapped(defense, 32), "  ")
        sole = headline.row(report.leakage, "explanation", explainer, defense)
        margin = headline.margin(report.leakage, both)
        table.add_row(
            Text(name),
            words.caught_with(report, both),
            words.with_interval(margin, words.signed) + ("*" if headline.reaches_zero(margin) else " "),
            words.percent(headline.tpr(report.leakage, sole).value) if sole else "",
            words.area(both.auc.value),
        )
    return table


def _controls(report: Report) -> Table:
    table = Table(
        title="Controls: is the audit itself sound?", title_justify="left", box=rich.box.SIMPLE_HEAD
    )
    for name in ("control", "expected", "seen", ""):
        table.add_column(name, overflow="fold")
    for control in report.controls:
        style = "bold red" if control.failed else "green" if control.passed else ""
        state = Text(words.state(control), style=style)
        seen = words.with_interval(control.seen) if control.not_run is None else ""
        table.add_row(Text(control.name), Text(control.expected), seen, state)
    return table
