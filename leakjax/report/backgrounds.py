"""Whether explanations name the points that they compare with, in words and as a table."""

from leakjax.evaluate import headline
from leakjax.evaluate.document import BackgroundRow, Report
from leakjax.report import words
from leakjax.report.tables import INDENTED, NUMBER, TEXT, Cell, Table, table

KNOWS = {
    "answers": "whoever has nothing but answers",
    "weights": "whoever knows the model",
}


def said(report: Report) -> list[str]:
    """A sentence or two for each explainer: whether its background is recoverable, and what protects it."""
    return [_said(row, protecting(report, row)) for row in report.backgrounds if row.plain_one]


def protecting(report: Report, plain: BackgroundRow) -> list[BackgroundRow]:
    """What names no more rows than chance does, the least changed explanations first."""
    own = [row for row in report.backgrounds if row.explainer == plain.explainer]
    rows = [row for row in own if row.recovered.value <= row.chance]
    return sorted(rows, key=lambda row: -row.cosine if words.measured(row.cosine) else 1.0)


def listed(report: Report) -> Table | None:
    """Every background, hardened explanations over it, and what may stand in its place; None without one."""
    if not report.backgrounds:
        return None
    columns = {
        "explainer, and what it compares with": TEXT,
        "rows named": NUMBER,
        "chance": NUMBER,
        "left unexplained": NUMBER,
        "without the rows": NUMBER,
        "cosine": NUMBER,
        "explained queries": NUMBER,
        "plain queries": NUMBER,
    }
    rows: list[list[str | Cell]] = []
    for explainer in headline.unique(row.explainer for row in report.backgrounds):
        rows.append([explainer, *[""] * (len(columns) - 1)])
        rows += [_row(row) for row in report.backgrounds if row.explainer == explainer]
    return table(columns, rows)


def _row(row: BackgroundRow) -> list[str | Cell]:
    hardened = "" if row.defense == headline.PLAIN else f", hardened by {row.defense}"
    return [
        Cell(f"{row.compared_with}{hardened}", INDENTED),
        words.with_interval(row.recovered, words.percent),
        words.percent(row.chance),
        words.number(row.residual),
        words.number(row.residual_without),
        words.ratio(row.cosine),
        f"{row.explained:,}",
        f"{row.plain:,}",
    ]


def _said(row: BackgroundRow, instead: list[BackgroundRow]) -> str:
    asked = f"{row.explained:,} explained queries" + (
        f" and {row.plain:,} for predictions alone" if row.plain else ""
    )
    found = (
        f"{words.percent(row.recovered.value)} of the {row.rows} records that {row.explainer} compares with are named "
        f"among {row.candidates} candidates (chance: {words.percent(row.chance)}) from {asked}, by {KNOWS[row.knows]}"
    )
    if not row.recoverable:
        return f"The background of {row.explainer} was not recovered: {found}."
    said = f"The background of {row.explainer} is recoverable: {found}."
    if not instead:
        return f"{said} Nothing that was tried in its place hides it."
    best = instead[0]
    hardened = "" if best.defense == headline.PLAIN else f", hardened by {best.defense}"
    cosine = (
        f" (cosine to the plain explanations {words.ratio(best.cosine)})"
        if words.measured(best.cosine)
        else ""
    )
    return (
        f"{said} Of what names no more than chance does, this changes least: {best.compared_with}{hardened}"
        f"{cosine}."
    )
