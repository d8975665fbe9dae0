"""Rows of the report that say how many further prediction queries an explanation is worth."""

from leakjax.auditing.judge import Judge
from leakjax.auditing.rows import Results
from leakjax.evaluate.document import Margin, NeighbourRow, WorthRow
from leakjax.evaluate.leakage import Rates
from leakjax.oracle import prediction_part


def neighbours(results: Results) -> list[NeighbourRow]:
    """What ever more queries near each point find, release by release; none where none may be asked."""
    (subject, _, _, judge, near), first, _ = next(iter(results.values()))
    rows = []
    for at, release in enumerate(subject.releases):
        if near is None or prediction_part(release).kind == "none":
            continue
        alone = judge.rates(first.prediction[at])
        for count, scores in near.scores.items():
            rates = judge.rates(scores[at])
            found, more = judge.found(rates), judge.added(rates, alone)
            row = NeighbourRow(
                release=release,
                queries=count,
                headline_fpr=judge.headline,
                **found._asdict(),
                margin=Margin(**more._asdict()),
            )
            rows.append(row)
    return rows


def worth(results: Results) -> list[WorthRow]:
    """How many of these queries find as much as one explanation does, and what it adds beside all of them."""
    rows = []
    for sitting, found, explanation in results.values():
        subject, judge, near = sitting.subject, sitting.judge.narrowed(found.valid), sitting.near
        for at, release in enumerate(subject.releases):
            if near is None or prediction_part(release).kind == "none":
                continue
            asked = {count: judge.rates(scores[at]) for count, scores in near.scores.items()}
            enough = _enough(judge, judge.rates(found.both[at]), judge.rates(found.prediction[at]), asked)
            beside = judge.added(judge.rates(found.beside[at]), asked[max(asked)])
            row = WorthRow(
                **vars(explanation),
                release=release,
                headline_fpr=judge.headline,
                queries=enough,
                tried=max(asked),
                beside=Margin(**beside._asdict()),
            )
            rows.append(row)
    return rows


def _enough(judge: Judge, both: Rates, alone: Rates, asked: dict[int, Rates]) -> int | None:
    """The fewest queries, 0 among them, that find as many members at the headline rate; None where not even all do."""
    found = judge.headline_tpr(both).value
    for count, rates in sorted({0: alone, **asked}.items()):
        if judge.headline_tpr(rates).value >= found:
            return count
    return None
