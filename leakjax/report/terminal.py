"""The report on a terminal, or in a file that a terminal is piped to."""

import os
import textwrap
from collections.abc import Sequence
from typing import TextIO

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leakjax.evaluate import headline
from leakjax.evaluate.document import LeakageRow, Report
from leakjax.report import advice, backgrounds, verdict, words, worth

PIPED_WIDTH = 100
SIDE_BY_SIDE = 3  # releases that fit beside each other into the width


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
    console.print(Text(f"{verdict.title(report)}.", style="bold"))
    _say(console, verdict.lead(report), *verdict.basis(report))
    _say(console, *words.hardening(report), *words.cost(report))
    _say(console, "What to do next:", *(f"- {step}" for step in advice.next_steps(report)))
    releases = headline.releases(report.leakage)
    for start in range(0, len(releases), SIDE_BY_SIDE):
        console.print(_leakage(report, releases[start : start + SIDE_BY_SIDE]))
    if words.marks(report):
        _say(console, *words.marks(report))
    if report.worth:
        _say(console, *worth.said(report))
    if report.backgrounds:
        _say(console, *backgrounds.said(report))
    if words.fewer(report):
        _say(console, *words.fewer(report))
    console.print(_controls(report))
    if report.left_out:
        _say(console, *words.left_out(report))
    _say(console, f"{words.sentence(words.floor(report))} Intervals are 95 %.")
    on_paper = ["report.pdf"] if os.path.exists(os.path.join(workdir, "report.pdf")) else []
    named = ["exposed.json"] if report.exposed else []
    for name in ("report.html", *on_paper, "report.json", "figures", "tables", *named):
        console.print(Text(os.path.join(workdir, name)), soft_wrap=True)


def _say(console: Console, *sentences: str) -> None:
    for sentence in sentences:
        console.print(Text(sentence))
    console.print()


def _leakage(report: Report, releases: Sequence[str]) -> Table:
    rate = words.false_alarms(headline.rate(report.leakage))
    leading = headline.lead(report.leakage)
    by = f" (attack: {leading.attack})" if leading else ""
    table = Table(
        title=f"Training records caught at {rate}, and what the explanation adds in percentage points{by}",
        title_justify="left",
        box=rich.box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", overflow="fold")
    for name in (*(f"{release} +\nexplanation" for release in releases), "explanation\nalone"):
        table.add_column(name, justify="right", no_wrap=True)
    alone = [headline.row(report.leakage, "prediction", release=release) for release in releases]
    shares = [words.percent(headline.tpr(report.leakage, row).value) if row else "" for row in alone]
    table.add_row("prediction alone", *shares, "")
    for explainer, defense, _ in headline.listed(report.leakage):
        name = explainer if defense == headline.PLAIN else textwrap.indent(words.wrapped(defense, 26), "  ")
        rows = [
            headline.row(report.leakage, "both", explainer, defense, release=release) for release in releases
        ]
        sole = headline.row(report.leakage, "explanation", explainer, defense)
        table.add_row(
            Text(name),
            *(_beside(report, row) for row in rows),
            words.percent(headline.tpr(report.leakage, sole).value) if sole else "",
        )
    return table


def _beside(report: Report, both: LeakageRow | None) -> str:
    """The share caught, what the explanation adds to it, and the interval of that below."""
    if both is None:
        return ""
    margin = headline.margin(report.leakage, both)
    added = words.signed(margin.value) + words.mark(report, margin)
    return f"{words.caught_with(report, both)}  {added}\n({words.interval(margin, words.signed)})"


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
