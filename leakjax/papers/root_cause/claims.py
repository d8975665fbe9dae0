"""What DeepLeak claims of the causes of leakage, beside an analysis."""

from collections.abc import Sequence

from leakjax.evaluate.document import Estimate
from leakjax.papers.claim import Claim, Says
from leakjax.papers.root_cause.document import EffectRow, TrendRow
from leakjax.papers.root_cause.regression import ACCOUNTED, TWO

SOURCE = "DeepLeak (arXiv 2601.03429), abstract"
_WITH = "predicted class and confidence"


def of_analysis(effects: Sequence[EffectRow], trends: Sequence[TrendRow]) -> list[Claim]:
    """Whether sparsity and sensitivity drive leakage: with and without what predictions say, and swept."""
    found = []
    for name in TWO:
        for accounted in (next(iter(ACCOUNTED)), _WITH):
            row = next(
                (
                    one
                    for one in effects
                    if (one.outcome, one.accounted, one.property) == ("alone", accounted, name)
                ),
                None,
            )
            if row is not None:
                found.append(
                    Claim(
                        source=SOURCE,
                        what=f"{name} drives leakage, over all settings, accounted for: {accounted}",
                        paper="drives leakage",
                        ours=row.effect,
                        unit="points of AUC per standard deviation",
                        says=_says(row.effect),
                        why="agrees where the interval over sweeps leaves out 0; the map alone, over all settings",
                    )
                )
        trend = next((one for one in trends if one.sweep == name), None)
        if trend is not None:
            ours = Estimate(*(100 * end for end in (trend.alone.value, trend.alone.low, trend.alone.high)))
            found.append(
                Claim(
                    source=SOURCE,
                    what=f"{name} drives leakage, when nothing else is varied: {trend.first} to {trend.last}",
                    paper="drives leakage",
                    ours=ours,
                    unit="points of AUC",
                    says=_says(ours),
                    why="agrees where the interval of the change leaves out 0; the map alone, the same models",
                )
            )
    return found


def _says(ours: Estimate) -> Says:
    return "agrees" if ours.low > 0 or ours.high < 0 else "disagrees"
