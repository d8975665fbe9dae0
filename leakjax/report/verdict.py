"""The verdict of a report: what each release gives away, and what explanations add to it, in sentences.

The sentences are the same on the page and on a terminal.
"""

from leakjax.evaluate import headline
from leakjax.evaluate.document import Estimate, LeakageRow, Report
from leakjax.evaluate.leakage import chance_tpr
from leakjax.report import words


def title(report: Report) -> str:
    """The verdict in one line that a person can repeat."""
    grades = {
        release: headline.grade(_margin(report, worst), report.smallest_margin.value)
        for release in headline.releases(report.leakage)
        if (worst := headline.worst(report.leakage, release))
    }
    leaky = [words.released(release) for release, grade in grades.items() if grade == "leaks"]
    if not grades:
        return "What predictions give away about the training data"
    if len(leaky) == len(grades):
        return "Your explanations give away training records"
    if leaky:
        return f"Your explanations give away training records where the service shows {', or '.join(leaky)}"
    if "inconclusive" in grades.values():
        return "Inconclusive: this audit could not have seen a small leak"
    if set(grades.values()) == {"no measurable leak"}:
        return "Your explanations add nothing that we could measure"
    return "What your explanations give away could not be measured"


def lead(report: Report) -> str:
    """What an attacker finds beside each release: the leaks one by one, the releases of one other grade together."""
    worsts = [headline.worst(report.leakage, release) for release in headline.releases(report.leakage)]
    if not worsts:
        return _predictions(report)
    together: dict[tuple[str, str], list[LeakageRow]] = {}
    for worst in worsts:
        if worst is not None:
            grade = headline.grade(_margin(report, worst), report.smallest_margin.value)
            together.setdefault((grade, worst.release if grade == "leaks" else ""), []).append(worst)
    return " ".join(
        _sentence(report, grade, rows, first=place == 0)
        for place, ((grade, _), rows) in enumerate(together.items())
    )


def basis(report: Report) -> list[str]:
    """Which explainer and which false alarms the verdict is about, and how sure its margin is."""
    leading = headline.worst(report.leakage)
    if leading is None:
        return []
    count = len(headline.explainers(report.leakage))
    among = f", the one of {count} that adds most" if count > 1 else ""
    rate, where = words.false_alarms(headline.rate(report.leakage)), words.released(leading.release)
    return [
        f"Found at {rate}. Where the service shows {where}, the explanations are by "
        f"{leading.explainer}{among}: {words.added(report, _margin(report, leading))}."
    ]


def _sentence(report: Report, grade: str, rows: list[LeakageRow], *, first: bool) -> str:
    chance = f" (chance {words.percent(_chance(report, rows[0]))})" if first else ""
    where = f"Where {'your service' if first else 'it'} shows " + ", or ".join(
        words.released(row.release) for row in rows
    )
    alone = " and ".join(words.percent(headline.alone(report.leakage, row)) for row in rows)
    records = "the training records"
    if headline.fewer(report.leakage, rows[0]):
        records += f" among the fewer that {rows[0].explainer} explained"
    if grade == "leaks":
        both = words.percent(headline.tpr(report.leakage, rows[0]).value)
        return (
            f"{where}, an attacker finds {alone} of {records} from {_that(rows[0])} alone "
            f"and {both} with the explanations{chance}."
        )
    found = f"{where}, an attacker finds {alone} of {records}{chance}, and "
    least = report.smallest_margin.value
    unseen = [headline.unseen(_margin(report, row), least) for row in rows]
    if grade == "no measurable leak":
        above = f"an audit like this could have seen {words.hundredths(max(unseen))} percentage points"
        return f"{found}your explanations add nothing that we could measure ({above})."
    if grade == "inconclusive":
        return f"{found}what your explanations add is inconclusive: {words.missed(max(unseen))}."
    return f"{found}what your explanations add could not be measured."


def _predictions(report: Report) -> str:
    alone = headline.row(report.leakage, "prediction")
    if alone is None:
        return "No attack on predictions was run."
    return (
        f"Where your service shows {words.released(alone.release)}, an attacker finds "
        f"{words.percent(headline.tpr(report.leakage, alone).value)} of the training records at "
        f"{words.false_alarms(headline.rate(report.leakage))} (chance {words.percent(_chance(report, alone))})."
    )


def _that(row: LeakageRow) -> str:
    return "the class" if row.release == "label" else "that"


def _chance(report: Report, row: LeakageRow) -> float:
    return chance_tpr(float(headline.rate(report.leakage)), row.nonmembers)


def _margin(report: Report, row: LeakageRow) -> Estimate:
    return headline.margin(report.leakage, row)
