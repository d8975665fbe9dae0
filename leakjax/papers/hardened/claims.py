"""What DeepLeak claims of hardening, beside a profile."""

from collections.abc import Sequence

from leakjax.evaluate.document import Estimate
from leakjax.papers.claim import Claim, Says
from leakjax.papers.hardened.document import DEEPLEAK, OURS, SCALED, Summary

SOURCE = "DeepLeak (arXiv 2601.03429), abstract"
LEAST, MOST, LOST = 46.5, 95.0, 3.3  # percent


def of_summaries(summaries: Sequence[Summary]) -> list[Claim]:
    """The claims of the abstract, for DeepLeak's hardening and ours: the least and the largest cut, the mean loss."""
    found = []
    for one in (each for each in summaries if each.hardening in (DEEPLEAK, SCALED, OURS)):
        claims: list[tuple[str, str, float | None, bool]] = [
            ("cuts what the map alone catches by at least", f"{LEAST} %", one.least_cut_alone, True),
            ("cuts what the map alone catches by up to", f"{MOST} %", one.most_cut_alone, True),
            ("cuts what is added to the label by at least", f"{LEAST} %", one.least_cut, True),
            ("cuts what is added to the label by up to", f"{MOST} %", one.most_cut, True),
            ("loses of the quoted figure of utility, on average", f"at most {LOST} %", one.mean_lost, False),
            ("loses of the mask correlation, on average", f"at most {LOST} %", one.mean_lost_mask, False),
        ]
        for words, paper, share, larger in claims:
            value = None if share is None else 100 * share
            bound = LOST if not larger else LEAST if "least" in words else MOST
            found.append(
                Claim(
                    source=SOURCE,
                    what=f"{one.hardening}: {words}",
                    paper=paper,
                    ours=None if value is None else Estimate(value, float("nan"), float("nan")),
                    unit="%",
                    says=_says(value, bound, larger=larger),
                    why=(
                        "over the explainers that have something to cut; the attack is refitted for every hardening. "
                        "The paper's measure of utility is not stated in its abstract; ours are chance-corrected"
                    ),
                )
            )
    return found


def _says(value: float | None, bound: float, *, larger: bool) -> Says:
    if value is None:
        return "not measured"
    return "agrees" if (value >= bound if larger else value <= bound) else "disagrees"
