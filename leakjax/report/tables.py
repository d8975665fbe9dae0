"""The tables of the page: texts in columns, which the templates turn into HTML."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from leakjax.evaluate import headline
from leakjax.evaluate.document import Attacked, GroupRow, LeakageRow, Report
from leakjax.evaluate.leakage import RATES
from leakjax.report import checks, words

NUMBER, BROKEN, TEXT, QUESTION, INDENTED = "n", "n two", "", "q", "in"  # classes of the style sheet
NO_BREAK = "\N{NO-BREAK SPACE}"


class Cell(NamedTuple):
    """A text and the class of its style."""

    text: str
    style: str


class Table(NamedTuple):
    """A table, head and body."""

    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]


def table(columns: Mapping[str, str], rows: Iterable[Sequence[str | Cell]]) -> Table:
    """A table of texts, each in the style of its column unless it is a `Cell` with one of its own.

    Args:
      columns: The style of each column, by its heading.
      rows: As many cells a row.
    """
    styles = list(columns.values())
    return Table(
        [Cell(name, style) for name, style in columns.items()],
        [
            [
                cell if isinstance(cell, Cell) else Cell(cell, style)
                for cell, style in zip(row, styles, strict=True)
            ]
            for row in rows
        ],
    )


def leakage(report: Report) -> Table:
    """What each explainer adds to the prediction, plain and under each defense: the releases side by side."""
    releases = headline.releases(report.leakage)
    columns = {"explainer, and its defenses": TEXT}
    columns |= {f"{release}: caught with the explanation, and what it adds": NUMBER for release in releases}
    columns["explanation alone"] = NUMBER
    alone = [headline.row(report.leakage, "prediction", release=release) for release in releases]
    shares = [words.percent(headline.tpr(report.leakage, row).value) if row else "" for row in alone]
    rows: list[Sequence[str | Cell]] = [["prediction alone", *shares, ""]]
    for explainer, defense, _ in headline.listed(report.leakage):
        boths = [
            headline.row(report.leakage, "both", explainer, defense, release=release) for release in releases
        ]
        sole = headline.row(report.leakage, "explanation", explainer, defense)
        rows.append(
            [
                explainer if defense == headline.PLAIN else Cell(defense, INDENTED),
                *(_beside(report, both) for both in boths),
                words.percent(headline.tpr(report.leakage, sole).value) if sole else "",
            ]
        )
    return table(columns, rows)


def _beside(report: Report, both: LeakageRow | None) -> Cell:
    """The share caught, and what the explanation adds to it; a line breaks before the interval alone."""
    if both is None:
        return Cell("", NUMBER)
    margin = headline.margin(report.leakage, both)
    added = f"{words.caught_with(report, both)}, {words.signed(margin.value)}".replace(" ", NO_BREAK)
    ends = f"({words.interval(margin, words.signed)})".replace(" ", NO_BREAK)
    style = f"{BROKEN} leaks" if headline.measurable(margin) else BROKEN
    return Cell(f"{added} {ends}{words.mark(report, margin)}", style)


def attacks(report: Report) -> Table:
    """Every row of leakage."""
    columns = {
        "view": TEXT,
        "release": TEXT,
        "explainer": TEXT,
        "explained": TEXT,
        "defense": TEXT,
        "attack": TEXT,
        "label known": TEXT,
        "TPR at 0.1 % FPR": NUMBER,
        "TPR at 1 % FPR": NUMBER,
        "AUC": NUMBER,
    }
    rows = [
        [
            row.view,
            row.release,
            row.explainer,
            words.explained(row),
            words.defense(row.defense) if row.view != "prediction" else "none",
            row.attack,
            "yes" if row.label_known else "no",
            *(words.with_interval(row.tpr_at_fpr[rate], words.percent) for rate in RATES),
            words.with_interval(row.auc, words.area),
        ]
        for row in report.leakage
    ]
    return table(columns, rows)


def utility(report: Report) -> Table:
    """What each defense changes in each explainer's output."""
    columns = {
        "explainer": TEXT,
        "defense": TEXT,
        "cosine to plain": NUMBER,
        "top features kept": NUMBER,
        "relative change": NUMBER,
    }
    rows = [
        [
            row.explainer,
            row.defense,
            words.with_interval(row.cosine, words.ratio),
            words.with_interval(row.top_overlap, words.percent),
            words.with_interval(row.relative_change, words.ratio),
        ]
        for row in report.utility
        if row.defense != headline.PLAIN
    ]
    return table(columns, rows)


def groups(rows: Iterable[GroupRow]) -> Table:
    """Leakage by group."""
    columns = {
        "group": TEXT,
        "level": TEXT,
        "records": NUMBER,
        "seen by the attacker": TEXT,
        "training records caught": NUMBER,
        "false alarms": NUMBER,
    }
    return table(
        columns,
        [
            [
                row.group,
                row.level,
                f"{row.points:,} ({words.percent(row.share)})",
                seen(row),
                words.with_interval(row.tpr, words.percent),
                words.with_interval(row.fpr, words.percent),
            ]
            for row in rows
        ],
    )


def controls(report: Report) -> Table:
    """The controls in plain words, with what was expected and what was seen."""
    columns = {"control": TEXT, "what it checks": QUESTION, "expected": TEXT, "seen": NUMBER, "": TEXT}
    return table(
        columns,
        [
            [
                checks.plain(control).name,
                f"{control.question} {checks.plain(control).failed}",
                control.expected,
                words.with_interval(control.seen) if control.not_run is None else "",
                Cell(
                    words.state(control), "failed" if control.failed else "passed" if control.passed else ""
                ),
            ]
            for control in report.controls
        ],
    )


def settings(report: Report) -> Table:
    """The configuration, the environment and the timings."""
    parts = {"configuration": report.config, "environment": report.environment, "seconds": report.timings}
    return table(
        {"": TEXT, "name": TEXT, "value": TEXT},
        [
            [part, name, value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)]
            for part, values in parts.items()
            for name, value in sorted(values.items())
        ],
    )


def seen(row: Attacked) -> str:
    """What the attacker of a row sees, in words."""
    if row.view == "prediction":
        return "prediction"
    explanation = f"{row.explainer} ({words.defense(row.defense)})"
    return explanation if row.view == "explanation" else f"prediction and {explanation}"
