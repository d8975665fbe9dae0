"""The page of a study of what can be revealed."""

from collections.abc import Mapping

from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.theorem.document import Theorem
from leakjax.papers.theorem.figures import REVEALED
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_LEMMA = (
    "Each construction is drawn many times. Brute force asks near and far from every crossing of two models which "
    "record is on top; its count stands beside what the lemma says, and beside a corrected lemma: models that meet the "
    "full one in a point reveal one record only if all are steeper or all flatter, shifts both ways reveal two where "
    "exp(b) lies between the harmonic and the arithmetic mean of the outermost two, and the tangents of lemma F.2 must "
    "be raised above the full model, for the largest magnitude of an influence counts and not its largest value.",
)
_THEOREM = (
    "d is the largest number such that any d weight vectors are linearly independent. The proof says that d models "
    "which agree at a query fix d coordinates of it; they fix as many as their differences from the full model are "
    "independent, which may be one fewer unless each d are independent together with the full model's weights.",
)


def lead(found: Theorem) -> str:
    """The finding in two sentences."""
    wrong = [row.construction for row in found.lemmas if row.agrees < 1]
    beaten = [row.construction for row in found.theorem if row.holds_pairwise < 1]
    lemma = f"the lemmas fail on {'; '.join(wrong)}" if wrong else "the lemmas hold on every construction"
    theorem = (
        f"the theorem fails where each weight vector is independent of the full model's by itself: {'; '.join(beaten)}"
        if beaten
        else "the theorem holds on every construction"
    )
    return words.sentence(lemma) + " " + words.sentence(theorem)


def page(found: Theorem, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        pages.Part(
            "Lemmas F.1 and F.2",
            _LEMMA,
            REVEALED,
            "Influence of each record on a query, drawn broad where it is on top; on the right, the record on top.",
            _lemmas(found),
        ),
        pages.Part("Theorem 5.1", _THEOREM, table=_theorem(found)),
        pages.Part("Beside the paper", table=claims_table(found.claims, digits=2)),
    ]
    return pages.page("what explanations by records can reveal", lead(found), parts, images)


def _lemmas(found: Theorem) -> Table:
    columns = {
        "construction": TEXT,
        "statement": TEXT,
        "families": NUMBER,
        "records": NUMBER,
        "features": NUMBER,
    }
    columns |= {"the paper": TEXT, "brute force": TEXT, "paper right": NUMBER, "corrected right": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.construction,
                row.statement,
                str(row.families),
                str(row.records),
                str(row.features),
                row.expected,
                f"{row.least} to {row.most}",
                words.percent(row.agrees),
                words.percent(row.corrected),
            ]
            for row in found.lemmas
        ],
    )


def _theorem(found: Theorem) -> Table:
    columns = {"construction": TEXT, "runs": NUMBER, "records": NUMBER, "features": NUMBER}
    columns |= {"d, each by itself": NUMBER, "d, together": NUMBER, "Algorithm 1": TEXT}
    columns |= {"at least d": NUMBER, "at least d, together": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.construction,
                str(row.runs),
                str(row.records),
                str(row.features),
                str(row.pairwise),
                str(row.jointly),
                f"{row.least} to {row.most}",
                words.percent(row.holds_pairwise),
                words.percent(row.holds_jointly),
            ]
            for row in found.theorem
        ],
    )
