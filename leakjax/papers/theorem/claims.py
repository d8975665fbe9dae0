"""What Shokri, Strobel & Zick prove of records that can be revealed, beside brute force; and what has no stand-in."""

from collections.abc import Sequence

from leakjax.evaluate.document import Estimate
from leakjax.papers.claim import Claim
from leakjax.papers.theorem.document import LemmaRow, TheoremRow

_PAPER = "Shokri, Strobel & Zick (arXiv 1907.00164)"
_HOSPITAL = (
    "the Diabetic Hospital set is none of the data sets here, and claims9, in its place elsewhere, has nine classes "
    "where the experiment needs two; a user's copy runs by experiments.records --dataset=npz:PATH"
)
_DOGS = (
    "its 2,400 pictures of ImageNet and their Inception features are not published; a user's copy runs by "
    "experiments.records --dataset=npz:PATH"
)
_ROWS = (
    ("figure 6", "records that reveal themselves"),
    ("figure 7", "influence of members and others"),
    ("table 2", "disclosure by group"),
    ("table 3", "records recovered by Algorithm 1"),
    ("table 4 and figure 10", "influence graph"),
    ("figure 9", "records found by sampling queries"),
)


def of_study(lemmas: Sequence[LemmaRow], rows: Sequence[TheoremRow]) -> list[Claim]:
    """A claim for each construction, and one for each experiment on data that cannot be had."""
    found = [_of_lemma(row) for row in lemmas] + [_of_theorem(row) for row in rows]
    for where, what in _ROWS:
        for data, why in (("Diabetic Hospital", _HOSPITAL), ("Dog vs. Fish", _DOGS)):
            found.append(
                Claim(
                    source=f"{_PAPER}, {where}",
                    what=f"{data}: {what}",
                    paper="-",
                    ours=None,
                    unit="",
                    says="not comparable",
                    why=why,
                )
            )
    return found


def _of_lemma(row: LemmaRow) -> Claim:
    where = {"F.2": "lemma F.2", "figure 8, right": "figure 8, right"}.get(
        row.statement, f"lemma F.1, statement {row.statement}"
    )
    right = Estimate(row.agrees, row.agrees, row.agrees)
    return Claim(
        source=f"{_PAPER}, {where}",
        what=f"{row.construction}: records that can be revealed",
        paper=f"{row.expected} of {row.records}",
        ours=right,
        unit="of families",
        says="agrees" if row.agrees == 1 else "disagrees",
        why=f"share of {row.families} families in which that is so; brute force reveals {row.least} to {row.most}",
    )


def _of_theorem(row: TheoremRow) -> Claim:
    share = Estimate(row.holds_pairwise, row.holds_pairwise, row.holds_pairwise)
    return Claim(
        source=f"{_PAPER}, theorem 5.1",
        what=f"{row.construction}: Algorithm 1 reveals d records",
        paper=f"at least {row.pairwise}",
        ours=share,
        unit="of runs",
        says="agrees" if row.holds_pairwise == 1 else "disagrees",
        why=f"it reveals {row.least} to {row.most} of {row.records} in {row.features} features; where the weights must "
        f"be independent together with the full model's, d is {row.jointly}, and {100 * row.holds_jointly:.0f} % of "
        f"runs reach it",
    )
