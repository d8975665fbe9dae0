"""What a study of who explains found: report.json, tables/*.csv, and the table in the terminal."""

import os
from pathlib import Path

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import dumps
from leakjax.hardening.document import ServingReport
from leakjax.report import markdown, tables_csv, words

_HEAD = (
    "who explains",
    "explanation alone",
    "label",
    "added to the label, points",
    "cut",
    "all probabilities",
    "added to them, points",
    "utility lost",
    "accuracy of the prediction",
    "of who explains",
)


def publish(report: ServingReport, workdir: str | os.PathLike[str] | Workdir) -> list[Path]:
    """Writes report.json and tables/*.csv.

    Args:
      report: from `leakjax.hardening.serving.serve`.
      workdir: where to.

    Returns:
      The paths of the files.
    """
    write = writer(workdir)
    contents = {"report.json": dumps(report).encode(), **tables_csv.files(report)}
    return [write(name, content) for name, content in contents.items()]


def table(report: ServingReport) -> str:
    """What each way hides and costs at 1 % false alarms, in Markdown."""
    lines = [
        (
            row.served,
            words.with_interval(row.alone, words.percent),
            words.with_interval(row.label, words.percent),
            words.with_interval(row.margin, words.signed),
            words.with_interval(row.cut, words.percent),
            words.with_interval(row.vector, words.percent),
            words.with_interval(row.margin_vector, words.signed),
            words.with_interval(row.lost, words.percent),
            words.percent(row.predicts),
            words.percent(row.explains),
        )
        for row in report.rows
    ]
    return markdown.table(_HEAD, lines)


def sentences(report: ServingReport) -> list[str]:
    """Whom selective release costs most, and how far out-of-fold explanation can be trusted."""
    most = max(report.withheld, key=lambda row: row.withheld)
    least = min(report.withheld, key=lambda row: row.withheld)
    return [
        f"selective release withholds {words.percent(most.withheld)} of group {most.group} ({most.points} points) and "
        f"{words.percent(least.withheld)} of group {least.group} ({least.points})",
        f"{report.near_duplicates} of {report.task.points} points have a near-duplicate in another fold",
    ]
