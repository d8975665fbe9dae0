"""Which rows of a report lead: one attack, one knowledge of the label, and the explainer that leaks most.

Nothing is chosen by its result but the explainer: the headline attack is the one that the audit lists first
among the rows of the view "both".
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from leakjax.report.schema import Report, Row

PLAIN = "none"


def known(value: Any) -> bool:
    """Whether a figure, or the value of one, could be measured."""
    if isinstance(value, Mapping):
        value = value["value"]
    return value is not None and math.isfinite(value)


def lead(report: Report) -> Row | None:
    """The row that names the headline attack and its knowledge of the label; None without explanations."""
    return next((row for row in report.leakage if row["view"] == "both"), None)


def rate(report: Report) -> str:
    """The headline false-positive rate, "0.001" or "0.01"."""
    return next((row["headline_fpr"] for row in report.leakage), "0.01")


def row(report: Report, view: str, explainer: str = "none", defense: str = PLAIN) -> Row | None:
    """The headline row of a view: by the headline attack if it is there, else by the attack listed first.

    Rows that know the label are never set beside rows that do not: None rather than the other kind.
    """
    rows = [
        row
        for row in report.leakage
        if (row["view"], row["explainer"], row["defense"]) == (view, explainer, defense)
    ]
    leading = lead(report)
    if leading is not None:
        rows = [row for row in rows if row["label_known"] == leading["label_known"]]
        rows = [row for row in rows if row["attack"] == leading["attack"]] or rows
    return rows[0] if rows else None


def listed(report: Report) -> list[tuple[str, str, Row | None]]:
    """(explainer, defense, row of the view "both") for a table, plain first, None if that is missing."""
    rows = [
        (explainer, defense, row(report, "both", explainer, defense))
        for explainer in explainers(report)
        for defense in unique((PLAIN, *defenses(report)))
    ]
    return [(explainer, defense, both) for explainer, defense, both in rows if both or defense == PLAIN]


def explainers(report: Report) -> list[str]:
    """The explainers, in the order of the report."""
    return unique(row["explainer"] for row in report.leakage if row["view"] == "both")


def defenses(report: Report) -> list[str]:
    """The defenses, "none" first."""
    names = unique(row["defense"] for row in report.leakage if row["view"] == "both")
    return sorted(names, key=lambda name: name != PLAIN)


def tpr(report: Report, row: Row) -> Row:
    """The share of members that a row catches at the headline rate, with its interval."""
    return row["tpr_at_fpr"][rate(report)]


def margin(report: Report, row: Row) -> Row:
    """What the explanation of a row of the view "both" adds at the headline rate, with its interval."""
    return row["margin"]["tpr_at_fpr"][rate(report)]


def fewer(report: Report, both: Row) -> bool:
    """Whether a row was measured on fewer records than the attack on predictions, as costly explainers may be."""
    prediction = row(report, "prediction")
    return prediction is not None and both["nonmembers"] < prediction["nonmembers"]


def alone(report: Report, both: Row | None) -> Any:
    """The share of members that the prediction alone catches, on the records of a row of the view "both"."""
    if both is not None and fewer(report, both):
        return tpr(report, both)["value"] - margin(report, both)["value"]
    prediction = row(report, "prediction")
    return tpr(report, prediction)["value"] if prediction else None


def measurable(figure: Row) -> bool:
    """Whether a margin is above 0 beyond doubt: its whole interval is."""
    return known(figure["low"]) and figure["low"] > 0


def reaches_zero(figure: Row) -> bool:
    """Whether a margin may be 0: its interval is known and reaches it."""
    return known(figure["low"]) and figure["low"] <= 0


def worst(report: Report) -> str | None:
    """The explainer whose plain explanations add most, or where none is plain, whose hardened ones do."""
    rows = [(explainer, defense, margin(report, both)) for explainer, defense, both in listed(report) if both]
    rows = [entry for entry in rows if entry[1] == PLAIN] or rows
    most = max(rows, key=lambda entry: entry[2]["value"] if known(entry[2]) else -math.inf, default=None)
    return most[0] if most else None


def unique(items: Iterable[Any]) -> list[Any]:
    """The items in order of first appearance, each once."""
    return list(dict.fromkeys(items))
