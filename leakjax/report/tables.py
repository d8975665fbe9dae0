"""The tables of the page, as HTML. Every text that comes from a report is escaped here."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from leakjax.report import headline, words
from leakjax.report.schema import Report, Row

NUMBER, TEXT, VERDICT, QUESTION, INDENTED = "n", "", "v", "q", "in"  # classes of the style sheet


class Marked(NamedTuple):
    """A text with a style of its own, whatever its column's."""

    text: str
    style: str


Cell = str | Marked


def leakage(report: Report) -> str:
    """What each explainer adds to the prediction, plain and under each defense, by the headline attack."""
    columns = {
        "explainer, and its defenses": TEXT,
        "prediction and explanation": NUMBER,
        "the explanation adds": NUMBER,
        "explanation alone": NUMBER,
        "AUC": NUMBER,
        "": VERDICT,
    }
    rows: list[Sequence[Cell]] = []
    alone = headline.row(report, "prediction")
    if alone is not None:
        caught = words.percent(headline.tpr(report, alone)["value"])
        rows.append(["prediction alone", caught, "", "", words.area(alone["auc"]["value"]), ""])
    for explainer, defense, both in headline.listed(report):
        if both is None:
            rows.append([explainer, *[""] * (len(columns) - 1)])
            continue
        sole = headline.row(report, "explanation", explainer, defense)
        margin = headline.margin(report, both)
        rows.append(
            [
                explainer if defense == headline.PLAIN else Marked(defense, INDENTED),
                words.caught_with(report, both),
                words.with_interval(margin, words.signed),
                words.percent(headline.tpr(report, sole)["value"]) if sole else "",
                words.area(both["auc"]["value"]),
                Marked(words.verdict(margin), "leaks" if headline.measurable(margin) else VERDICT),
            ]
        )
    return table(columns, rows)


def attacks(report: Report) -> str:
    """Every row of leakage."""
    columns = {
        "view": TEXT,
        "explainer": TEXT,
        "defense": TEXT,
        "attack": TEXT,
        "label known": TEXT,
        "TPR at 0.1 % FPR": NUMBER,
        "TPR at 1 % FPR": NUMBER,
        "AUC": NUMBER,
    }
    rows = [
        [
            row["view"],
            row["explainer"],
            words.defense(row["defense"]) if row["view"] != "prediction" else "none",
            row["attack"],
            "yes" if row["label_known"] else "no",
            *(words.with_interval(row["tpr_at_fpr"][rate], words.percent) for rate in ("0.001", "0.01")),
            words.with_interval(row["auc"], words.area),
        ]
        for row in report.leakage
    ]
    return table(columns, rows)


def utility(report: Report) -> str:
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
            row["explainer"],
            row["defense"],
            words.with_interval(row["cosine"], words.ratio),
            words.with_interval(row["top_overlap"], words.percent),
            words.with_interval(row["relative_change"], words.ratio),
        ]
        for row in report.utility
        if row["defense"] != headline.PLAIN
    ]
    return table(columns, rows)


def exposed(rows: Iterable[Row]) -> str:
    """The most exposed records."""
    columns = {
        "record": NUMBER,
        "caught": NUMBER,
        "models trained on it": NUMBER,
        "score": NUMBER,
        "explainer": TEXT,
        "defense": TEXT,
    }
    return table(
        columns,
        [
            [
                str(row["id"]),
                words.percent(row["share_caught"]),
                str(row["times_member"]),
                words.ratio(row["score"]),
                row["explainer"],
                words.defense(row["defense"]),
            ]
            for row in rows
        ],
    )


def groups(rows: Iterable[Row]) -> str:
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
                row["group"],
                row["level"],
                f"{row['points']:,} ({words.percent(row['share'])})",
                seen(row),
                words.with_interval(row["tpr"], words.percent),
                words.with_interval(row["fpr"], words.percent),
            ]
            for row in rows
        ],
    )


def controls(report: Report) -> str:
    """The controls, with what was expected and what was seen."""
    columns = {"control": TEXT, "what it checks": QUESTION, "expected": TEXT, "seen": NUMBER, "": TEXT}
    return table(
        columns,
        [
            [
                control["name"],
                control["question"],
                control["expected"],
                words.with_interval(control["figure"]),
                Marked("passed", "passed") if control["passed"] else Marked("FAILED", "failed"),
            ]
            for control in report.controls
        ],
    )


def settings(report: Report) -> str:
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


def seen(row: Row) -> str:
    """What the attacker of a row sees, in words."""
    if row["view"] == "prediction":
        return "prediction"
    explanation = f"{row['explainer']} ({words.defense(row['defense'])})"
    return explanation if row["view"] == "explanation" else f"prediction and {explanation}"


def escaped(text: str) -> str:
    """A text as HTML, where no line ends before a per cent sign, and one may after the plus of a chain."""
    return re.sub(r"(?<=[A-Za-z_)])\+", "+<wbr>", html.escape(text).replace(" %", "&nbsp;%"))


def table(columns: Mapping[str, str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table of escaped texts; `columns` maps each heading to the style of its cells."""
    styles = list(columns.values())
    head = "".join(_cell("th", name, style) for name, style in columns.items())
    body = "\n".join(
        f"<tr>{''.join(_cell('td', cell, style) for cell, style in zip(row, styles, strict=True))}</tr>"
        for row in rows
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(tag: str, cell: Cell, style: str) -> str:
    text, style = (cell.text, cell.style) if isinstance(cell, Marked) else (cell, style)
    start = f'<{tag} class="{style}">' if style else f"<{tag}>"
    return f"{start}{escaped(text)}</{tag}>"
