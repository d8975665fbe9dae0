"""Two or more audits side by side, those that differ in their seed alone pooled."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from scipy import stats

from leakjax._validate import fail
from leakjax.evaluate import brief, headline
from leakjax.evaluate.document import Estimate, Rate, Report
from leakjax.report import schema, words
from leakjax.report.tables_csv import written

if TYPE_CHECKING:
    from pandas import DataFrame

# Settings that a repetition of a run changes.
_OF_SEED = ("seed", "key")
_LONGEST_NAME = 60
_COLUMNS = (
    *("run", "seeds", "release", "explainer", "defense", "fpr", "prediction", "explanation", "both"),
    *("margin", "margin_low", "margin_high", "margin_sd"),
)


class Row(NamedTuple):
    """What one explanation gives away in one run, at the rate at which all runs are compared.

    Attributes:
      run: the name of the run: what its settings have that others have not.
      seeds: how many audits it pools.
      release: as in `leakjax.evaluate.brief.Line`, like all that follows; each number is the mean over seeds.
      explainer: its name.
      defense: its name.
      prediction: share of members.
      explanation: share of members; NaN where it was not measured.
      both: share of members.
      margin: the wider of two 95 % intervals: the mean of those of the seeds, and that of Student's t over seeds. The
        points are the same under every seed, so that intervals of seeds must not shrink as if they were not.
      spread: the standard deviation of the margin from seed to seed; NaN for a single one.
    """

    run: str
    seeds: int
    release: str
    explainer: str
    defense: str
    prediction: float
    explanation: float
    both: float
    margin: Estimate
    spread: float


class Comparison(NamedTuple):
    """Runs side by side.

    Attributes:
      rows: by release, explainer and defense, then by run.
      fpr: the false-positive rate of every number.
      said: what else there is to know, one sentence each.
    """

    rows: Sequence[Row]
    fpr: Rate
    said: Sequence[str]

    def cells(self) -> list[list[Any]]:
        """The rows as flat cells in the order of `columns`."""
        return [
            [
                *(row.run, row.seeds, row.release, row.explainer, row.defense, self.fpr),
                *(row.prediction, row.explanation, row.both),
                *(row.margin.value, row.margin.low, row.margin.high, row.spread),
            ]
            for row in self.rows
        ]

    def to_frame(self) -> "DataFrame":
        """The rows as a pandas DataFrame; pandas is optional, and imported here."""
        import pandas

        return pandas.DataFrame(self.cells(), columns=list(_COLUMNS))

    def to_csv(self) -> bytes:
        """The rows as a CSV file; numbers that are not known are empty."""
        known = [
            [None if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in row]
            for row in self.cells()
        ]
        return written(_COLUMNS, known)

    def show(self) -> None:
        """Prints a line for each explanation, and beside it what it adds to the prediction in each run."""
        runs = headline.unique(row.run for row in self.rows)
        table = Table(
            title=f"What the explanation adds, percentage points at {words.false_alarms(self.fpr)}",
            title_justify="left",
            box=SIMPLE_HEAD,
        )
        for name in ("release", "explainer", "defense"):
            table.add_column(name, overflow="fold")
        for run in runs:
            table.add_column(Text(run), justify="right", overflow="fold")
        found = {(row.release, row.explainer, row.defense, row.run): row for row in self.rows}
        for about in headline.unique((row.release, row.explainer, row.defense) for row in self.rows):
            rows = [found.get((*about, run)) for run in runs]
            margins = [words.with_interval(row.margin, words.signed) if row else "" for row in rows]
            table.add_row(*map(Text, about), *margins)
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = 60 + 32 * len(runs)
        console.print(table)
        for sentence in self.said:
            console.print(Text(sentence))


def compare(*reports: Report, names: Sequence[str] | None = None) -> Comparison:
    """Sets audits side by side and pools those whose settings differ in the seed alone.

    Args:
      reports: two or more.
      names: of the reports, those of one name are pooled; None: named by the settings in which they differ.

    Returns:
      The comparison, at the headline rate if all have the same, else at 1 %.

    Raises:
      UsageError: fewer than two reports, or as many names as are not reports.
    """
    if len(reports) < 2:
        raise fail("reports", len(reports), "must be at least two")
    if names is not None and len(names) != len(reports):
        raise fail("names", list(names), f"must be as many as the {len(reports)} reports")
    called = _named(reports) if names is None else list(names)
    rates = {headline.rate(report.leakage) for report in reports}
    fpr: Rate = rates.pop() if len(rates) == 1 else "0.01"
    runs: dict[str, list[Report]] = {}
    for name, report in zip(called, reports, strict=True):
        runs.setdefault(name, []).append(report)
    lines = {
        run: [
            {(line.release, line.explainer, line.defense): line for line in brief.lines(one, fpr)}
            for one in many
        ]
        for run, many in runs.items()
    }
    rows = [
        _row(run, [found[about] for found in many if about in found])
        for about in headline.unique(about for many in lines.values() for one in many for about in one)
        for run, many in lines.items()
        if any(about in found for found in many)
    ]
    return Comparison(rows, fpr, _said(runs))


def read_all(workdirs: Sequence[str | os.PathLike[str]]) -> list[Report]:
    """The reports of workdirs; one that holds seed-0/, seed-1/, ... gives those of all of them.

    Raises:
      UsageError: one holds no report, or one that is damaged.
    """
    found = []
    for workdir in map(Path, workdirs):
        seeds = sorted(path.parent for path in workdir.glob("seed-*/report.json"))
        found += [schema.read(path) for path in seeds or [workdir]]
    return found


def _row(run: str, lines: Sequence[brief.Line]) -> Row:
    first = lines[0]
    margins = np.array([[line.margin.value, line.margin.low, line.margin.high] for line in lines])
    value, low, high = margins.mean(axis=0)
    spread = math.nan
    if len(lines) > 1:
        spread = float(margins[:, 0].std(ddof=1))
        half = stats.t.ppf(0.975, len(lines) - 1) * spread / math.sqrt(len(lines))
        low, high = min(low, value - half), max(high, value + half)
    alone = [math.nan if line.explanation is None else line.explanation.value for line in lines]
    return Row(
        run,
        len(lines),
        first.release,
        first.explainer,
        first.defense,
        float(np.mean([line.prediction for line in lines])),
        float(np.mean(alone)),
        float(np.mean([line.both.value for line in lines])),
        Estimate(float(value), float(low), float(high)),
        spread,
    )


def _named(reports: Sequence[Report]) -> list[str]:
    """A name for each report: the settings in which it differs from others, but for the seed."""
    settings = [
        {name: value for name, value in report.config.items() if name not in _OF_SEED} for report in reports
    ]
    texts = [{name: json.dumps(value) for name, value in one.items()} for one in settings]
    differ = [
        name
        for name in headline.unique(name for one in texts for name in one)
        if len({one.get(name) for one in texts}) > 1
    ]
    called = []
    for one in settings:
        name = ", ".join(f"{name}={_short(one[name])}" for name in differ if name in one)
        called.append(name[:_LONGEST_NAME] or "all")
    full = [json.dumps([one.get(name) for name in differ]) for one in texts]
    if len(set(called)) < len(set(full)):  # what differs was cut off
        places = {text: place for place, text in enumerate(dict.fromkeys(full), 1)}
        called = [f"{places[text]}: {name}" for text, name in zip(full, called, strict=True)]
    return called


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _said(runs: Mapping[str, Sequence[Report]]) -> list[str]:
    said = []
    for run, many in runs.items():
        if len(many) > 1:
            said.append(
                f"{run}: {len(many)} seeds pooled; the interval is the wider of the mean one and that over seeds."
            )
        failed = headline.unique(
            control.name for report in many for control in report.controls if not control.passed
        )
        if failed:
            said.append(f"{run}: CONTROLS FAILED ({', '.join(failed)}), its numbers cannot be relied on.")
    datasets = {
        (report.task.dataset, report.task.audited_points) for many in runs.values() for report in many
    }
    if len(datasets) > 1:
        said.append("The runs audit different points, so that their margins are not paired.")
    return said
