"""Which of the hardenings that an audit tried its owner should take: the most useful one under which nothing leaks."""

from typing import NamedTuple

import numpy as np

from leakjax._validate import UsageError
from leakjax.defend import parse
from leakjax.evaluate import headline
from leakjax.evaluate.document import LeakageRow, Report, UtilityRow
from leakjax.report import words

_OF_TOP = 0.1  # the share of all features that makes the top of `leakjax.evaluate.utility.top_overlap`


class Recommended(NamedTuple):
    """A defense of one explainer, and how useful its explanations still are.

    Attributes:
      explainer: its name.
      defense: its name; `headline.PLAIN` where nothing needs to be hardened.
      utility: its row of the report.
    """

    explainer: str
    defense: str
    utility: UtilityRow


def about(report: Report) -> LeakageRow | None:
    """The row that hardening is about: of the explainer that adds most beside the first release where one leaks.

    Beside the leading release where none leaks; None without explanations.
    """
    worsts = [headline.worst(report.leakage, release) for release in headline.releases(report.leakage)]
    leaky = (row for row in worsts if row and headline.measurable(headline.margin(report.leakage, row)))
    return next(leaky, headline.worst(report.leakage))


def recommended(report: Report) -> Recommended | None:
    """For the explainer that hardening is about: the defense of the largest cosine without a measurable leak.

    No leak may show beside any release that was audited, and none may be inconclusive. It is chosen by the very numbers
    that the report shows, so that its margin is rather too low than too high; None where no defense qualifies.
    """
    worst = about(report)
    if worst is None:
        return None
    return _most_useful(report, worst.explainer, {"no measurable leak"})


def promising(report: Report) -> Recommended | None:
    """As `recommended`, of the hardenings that beside some release are inconclusive, and leak beside none."""
    worst = about(report)
    if worst is None:
        return None
    return _most_useful(report, worst.explainer, {"no measurable leak", "inconclusive"})


def _most_useful(report: Report, explainer: str, good: set[headline.Grade]) -> Recommended | None:
    """The defense of the largest cosine whose grades are good beside every release."""
    fit = [
        row
        for row in report.utility
        if row.explainer == explainer
        and (grades := _grades(report, explainer, row.defense))
        and good.issuperset(grades)
        and words.measured(row.cosine.value)
    ]
    best = max(fit, key=lambda row: (row.defense == headline.PLAIN, row.cosine.value), default=None)
    return None if best is None else Recommended(explainer, best.defense, best)


def _grades(report: Report, explainer: str, defense: str) -> list[headline.Grade]:
    """What each release is graded."""
    return [
        headline.grade(headline.margin(report.leakage, row), report.smallest_margin.value)
        for release in headline.releases(report.leakage)
        if (row := headline.row(report.leakage, "both", explainer, defense, release=release))
    ]


def chance_of_top(report: Report) -> float | None:
    """The share of the most important features that random numbers keep; None where the size of a map is not known."""
    maps = (one for example in report.examples for maps in example.maps.values() for one in maps.values())
    features = next((int(np.size(one)) for one in maps), len(report.feature_names or ()))
    return max(1, round(_OF_TOP * features)) / features if features else None


def said(report: Report) -> list[str]:
    """The recommendation, one sentence each; what is missing where there is none."""
    found, worst = recommended(report), about(report)
    if worst is None:
        return []
    if found is None:
        tried = [name for name in headline.defenses(report.leakage) if name != headline.PLAIN]
        if not tried:
            return ["No hardening was tried: name some in --defenses, and the curve has points."]
        return [
            f"None of the {len(tried)} hardenings that were tried can be recommended for {worst.explainer}: "
            "beside one of the releases each still leaks, or what it adds is inconclusive."
        ]
    if found.defense == headline.PLAIN:
        return [f"No hardening is needed: plain explanations by {found.explainer} add nothing measurable."]
    return [
        f"Recommended for {found.explainer}: {found.defense}. Of the hardenings that were tried it is the "
        "one that changes explanations least among those that leave no measurable leak beside any release.",
        f"It leaves a cosine of {words.ratio(found.utility.cosine.value)} to the plain explanation (1 is "
        f"unchanged, 0 what an unrelated one has) and {words.percent(found.utility.top_overlap.value)} of "
        f"its most important features{_by_chance(report)}. It was chosen by these very numbers: before you "
        f"rely on it, audit it alone with another --seed.{_applied(found.defense)}",
    ]


def _applied(defense: str) -> str:
    """How a program hardens an explanation so; nothing of a defense that is the user's own."""
    try:
        parse(defense)
    except UsageError:
        return ""
    return (
        f' To harden one: leakjax.defend.apply(leakjax.defend.parse("{defense}"), explanation, key=key, x=x).'
    )


def _by_chance(report: Report) -> str:
    chance = chance_of_top(report)
    return "" if chance is None else f" (by chance {words.percent(chance)})"
