"""Which rows of a report lead: one attack, one knowledge of the label, and the explainer that leaks most.

Nothing is chosen by its result but the explainer: the headline attack is the one that the audit lists first
among the rows of the view "both". The release listed first leads; every release is judged by its own rows.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from leakjax.evaluate.document import NONE, Estimate, LeakageRow, Rate

PLAIN = NONE  # the name of no defense
# An audit that could have missed a leak of more than this share of the members says nothing of smaller ones.
COARSE = 0.02

Rows = Sequence[LeakageRow]
T = TypeVar("T")
Grade = Literal["leaks", "no measurable leak", "inconclusive", "not measured"]


def known(estimate: Estimate) -> bool:
    """Whether an estimate could be measured."""
    return math.isfinite(estimate.value)


def lead(leakage: Rows) -> LeakageRow | None:
    """The row that names the headline attack, its release and its knowledge of the label; None without explanations."""
    return next((row for row in leakage if row.view == "both"), None)


def rate(leakage: Rows) -> Rate:
    """The headline false-positive rate, "0.001" or "0.01"."""
    return next((row.headline_fpr for row in leakage), "0.01")


def releases(leakage: Rows) -> list[str]:
    """The releases beside which explanations were attacked by the headline attack, the leading one first."""
    leading = lead(leakage)
    rows = [row for row in leakage if leading and row.view == "both" and row.attack == leading.attack]
    return unique(row.release for row in rows)


def row(
    leakage: Rows, view: str, explainer: str = NONE, defense: str = PLAIN, *, release: str | None = None
) -> LeakageRow | None:
    """The headline row of a view: by the headline attack if it is there, else by the attack listed first.

    It is of the release given, else of the leading one. Rows that know the label, or see another release, are
    never set beside rows that do not: None rather than the other kind.
    """
    rows = [row for row in leakage if (row.view, row.explainer, row.defense) == (view, explainer, defense)]
    leading = lead(leakage)
    if leading is not None:
        beside = (release or leading.release, NONE)  # an explanation alone stands beside every release
        rows = [row for row in rows if row.release in beside and row.label_known == leading.label_known]
        rows = [row for row in rows if row.attack == leading.attack] or rows
    return rows[0] if rows else None


def listed(leakage: Rows, release: str | None = None) -> list[tuple[str, str, LeakageRow | None]]:
    """(explainer, defense, row of the view "both") for a table, plain first, None if that is missing."""
    rows = [
        (explainer, defense, row(leakage, "both", explainer, defense, release=release))
        for explainer in explainers(leakage)
        for defense in unique((PLAIN, *defenses(leakage)))
    ]
    return [(explainer, defense, both) for explainer, defense, both in rows if both or defense == PLAIN]


def explainers(leakage: Rows) -> list[str]:
    """The explainers, in the order of the report."""
    return unique(row.explainer for row in leakage if row.view == "both")


def defenses(leakage: Rows) -> list[str]:
    """The defenses, "none" first."""
    names = unique(row.defense for row in leakage if row.view == "both")
    return sorted(names, key=lambda name: name != PLAIN)


def tpr(leakage: Rows, row: LeakageRow) -> Estimate:
    """The share of members that a row catches at the headline rate."""
    return row.tpr_at_fpr[rate(leakage)]


def margin(leakage: Rows, both: LeakageRow) -> Estimate:
    """What the explanation of a row of the view "both" adds at the headline rate."""
    if both.margin is None:
        raise ValueError(f"a row of the view {both.view!r} has no margin")
    return both.margin.tpr_at_fpr[rate(leakage)]


def fewer(leakage: Rows, both: LeakageRow) -> bool:
    """Whether a row was measured on fewer points than the attack on predictions, as costly explainers may be."""
    prediction = row(leakage, "prediction", release=both.release)
    return prediction is not None and both.nonmembers < prediction.nonmembers


def alone(leakage: Rows, both: LeakageRow | None) -> float | None:
    """The share of members that the prediction alone catches, on the points of a row of the view "both"."""
    if both is not None and fewer(leakage, both):
        return tpr(leakage, both).value - margin(leakage, both).value
    prediction = row(leakage, "prediction", release=both.release if both else None)
    return tpr(leakage, prediction).value if prediction else None


def measurable(margin: Estimate) -> bool:
    """Whether a margin is above 0 beyond doubt: its whole interval is."""
    return margin.low > 0


def reaches_zero(margin: Estimate) -> bool:
    """Whether a margin may be 0: its interval is known and reaches it."""
    return margin.low <= 0


def unseen(margin: Estimate, smallest: float) -> float:
    """The largest leak that may be there although none was measured; NaN if that is not known.

    Args:
      margin: what an explanation adds.
      smallest: the smallest margin that the audit is known to be able to see, NaN if it is none.
    """
    return math.nan if math.isnan(smallest) else max(smallest, margin.high)


def grade(margin: Estimate, smallest: float) -> Grade:
    """What a margin shows: no leak is claimed to be absent that this audit could not have seen.

    Args: as `unseen`.
    """
    if measurable(margin):
        return "leaks"
    if not reaches_zero(margin):
        return "not measured"
    return "no measurable leak" if unseen(margin, smallest) <= COARSE else "inconclusive"


def worst(leakage: Rows, release: str | None = None) -> LeakageRow | None:
    """The row of the explainer that leaks most beside a release, the leading one if None is given.

    Everything that is said of "the worst" is about it: the row of the view "both" whose plain explanations add
    most, or where none is plain, whose hardened ones do: a plain explanation is what a service lets out today.
    """
    rows = [both for _, _, both in listed(leakage, release) if both]
    rows = [both for both in rows if both.defense == PLAIN] or rows

    def added(both: LeakageRow) -> float:
        found = margin(leakage, both)
        return found.value if known(found) else -math.inf

    return max(rows, key=added, default=None)


def unique(items: Iterable[T]) -> list[T]:
    """The items in order of first appearance, each once."""
    return list(dict.fromkeys(items))
