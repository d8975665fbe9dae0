"""What an explanation is worth in further prediction queries, in words and as a table."""

from leakjax.evaluate import headline
from leakjax.evaluate.document import Report
from leakjax.evaluate.document.audit import WorthRow
from leakjax.report import words
from leakjax.report.tables import INDENTED, NUMBER, TEXT, Cell, Table, table


def said(report: Report) -> list[str]:
    """A sentence for each release: what queries alone find, and the worth of the explanation that adds most."""
    sentences = []
    for release in headline.unique(row.release for row in report.neighbours):
        worst = headline.worst(report.leakage, release)
        about = (release, worst.explainer, worst.defense) if worst else None
        worth = next(
            (one for one in report.worth if (one.release, one.explainer, one.defense) == about), None
        )
        if worth is None:
            continue
        rows = [row for row in report.neighbours if row.release == release]
        asked = ", ".join(str(row.queries) for row in rows)
        found = ", ".join(words.percent(row.tpr_at_fpr[row.headline_fpr].value) for row in rows)
        beside = worth.beside.tpr_at_fpr[worth.headline_fpr]
        sentences.append(
            f"Where the service shows {words.released(release)}, {asked} further queries near "
            f"each record find {found}; an explanation by {worth.explainer} is worth {queries(worth)}, and "
            f"beside all of them it adds {words.points(beside)}."
        )
    return sentences


def listed(report: Report) -> Table | None:
    """Every explanation's worth; None where no further queries were asked."""
    if not report.worth:
        return None
    releases = headline.unique(row.release for row in report.worth)
    columns = {"explainer, and its defenses": TEXT} | {
        f"{release}: worth in queries": NUMBER for release in releases
    }
    rows: list[list[str | Cell]] = []
    for explainer, defense in headline.unique((row.explainer, row.defense) for row in report.worth):
        own = {
            row.release: row for row in report.worth if (row.explainer, row.defense) == (explainer, defense)
        }
        name = explainer if defense == headline.PLAIN else Cell(defense, INDENTED)
        rows.append([name, *(queries(own[release]) if release in own else "" for release in releases)])
    return table(columns, rows)


def queries(row: WorthRow) -> str:
    """How many further queries find as much as an explanation does."""
    if row.queries is None:
        return f"more than {row.tried} queries"
    if row.queries == 0:
        return "no query"
    return "1 query" if row.queries == 1 else f"at most {row.queries} queries"
