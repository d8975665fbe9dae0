"""What DeepLeak claims of leakage, beside a profile."""

from collections.abc import Sequence
from typing import NamedTuple

from leakjax.evaluate.document import Estimate, Rate
from leakjax.evaluate.headline import unique
from leakjax.evaluate.leakage import RATES
from leakjax.evaluate.roc import allowed
from leakjax.papers.claim import Claim, Says
from leakjax.papers.leakage.document import BeyondRow
from leakjax.papers.leakage.judged import STACKED

SOURCE = "DeepLeak (arXiv 2601.03429), abstract"
CLAIMED = 74.9  # percent
NETWORK = "convolutional"
_LEAST_ALARMS = 5  # below so many false positives a rate is too coarse to lead


class Least(NamedTuple):
    """How much more is found of one explainer than by any attack before: beside the one that comes nearest."""

    explainer: str
    attack: str
    relative: Estimate
    nonmembers: int

    def alarms(self, rate: Rate) -> int:
        """How many false positives a rate allows a target."""
        return int(allowed(float(rate), self.nonmembers))


def least_more(beyond: Sequence[BeyondRow], stronger: str, rate: Rate) -> list[Least]:
    """Of each explainer, the attack before that a stronger one beats least, among those on the map alone.

    Args:
      beyond: of a profile.
      stronger: name of the stronger attack.
      rate: false-positive rate.

    Returns:
      In the order of the profile; explainers without a ratio are missing.
    """
    found = []
    rows = [row for row in beyond if row.stronger == stronger and row.view == "explanation"]
    for explainer in unique(row.explainer for row in rows):
        own = [row for row in rows if row.explainer == explainer]
        known = [row for row in own if row.relative[rate].value == row.relative[rate].value]
        if known:
            nearest = min(known, key=lambda row: row.relative[rate].value)
            found.append(Least(explainer, nearest.attack, nearest.relative[rate], nearest.nonmembers))
    return found


def of_profile(beyond: Sequence[BeyondRow]) -> list[Claim]:
    """The claims of the abstract that a profile can answer, by our attack and by DeepLeak's, at both rates."""
    found = []
    for stronger in (STACKED, NETWORK):
        for rate in RATES:
            each = least_more(beyond, stronger, rate)
            fine = [one for one in each if one.alarms(rate) >= _LEAST_ALARMS]
            if each:
                found.append(_claim(fine or each, stronger, rate))
    return found


def _claim(each: Sequence[Least], stronger: str, rate: Rate) -> Claim:
    most = max(each, key=lambda one: one.relative.value)
    ours, alarms = _percent(most.relative), most.alarms(rate)
    return Claim(
        source=SOURCE,
        what=f"up to so much more leakage than previously reported, by {stronger} at a false-positive rate of {rate}",
        paper=f"up to {CLAIMED} %",
        ours=ours,
        unit="%",
        says=_says(ours) if alarms >= _LEAST_ALARMS else "not measured",
        why=(
            f"members caught from the map alone, over those that the best earlier attack catches; the most of "
            f"{len(each)} methods, {most.explainer} beside {most.attack}. A target has {alarms} false positives at "
            f"this rate, of {_LEAST_ALARMS} that it takes; data and networks are not the paper's"
        ),
    )


def _says(ours: Estimate) -> Says:
    """An interval that holds both nothing and the claim says nothing of it."""
    if ours.low <= 0 and ours.high >= CLAIMED:
        return "not measured"
    return "agrees" if ours.high >= CLAIMED else "disagrees"


def _percent(one: Estimate) -> Estimate:
    return Estimate(100 * one.value, 100 * one.low, 100 * one.high)
