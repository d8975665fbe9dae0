"""The sentences and numbers that the terminal and the page share."""

from typing import Any

from leakjax.report import headline
from leakjax.report.headline import known
from leakjax.report.schema import Report, Row

UNKNOWN = "not measured"


def number(value: float | None) -> str:
    """A plain number, to four decimals."""
    return f"{value:.4f}" if known(value) else UNKNOWN


def area(value: float | None) -> str:
    """An area under the ROC curve, to three decimals."""
    return f"{value:.3f}" if known(value) else UNKNOWN


def percent(value: float | None) -> str:
    """A share in percent: 0.083 is "8.3 %"."""
    return f"{_hundredths(value)} %" if known(value) else UNKNOWN


def signed(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign: 0.047 is "+4.70"."""
    return f"{round(100.0 * value, 2) + 0.0:+.2f}" if known(value) else UNKNOWN  # + 0.0 makes -0.0 positive


def interval(figure: Row, form: Any = number) -> str:
    """The ends of an interval: "1.2 to 3.4"."""
    if not (known(figure["low"]) and known(figure["high"])):
        return "no interval"
    return f"{form(figure['low'])} to {form(figure['high'])}"


def with_interval(figure: Row, form: Any = number) -> str:
    """An estimate and its interval: "2.3 (1.2 to 3.4)"."""
    return f"{form(figure['value'])} ({interval(figure, form)})" if known(figure) else UNKNOWN


def false_alarms(rate: str) -> str:
    """A false-positive rate in words: "1 % false alarms"."""
    return f"{100.0 * float(rate):g} % false alarms"


def task(report: Report) -> str:
    """What was attacked, and how far it overfits."""
    facts = report.task
    return (
        f"{facts['models'] - len(facts['diverged'])} models trained on {facts['dataset']} ({facts['points']:,} records, "
        f"{facts['classes']} classes) are right on {percent(facts['train_accuracy']['value'])} of the records they were "
        f"trained on and on {percent(facts['test_accuracy']['value'])} of the others: a gap of "
        f"{_points(facts['generalisation_gap'])}. The membership of {facts['audited_points']:,} records was attacked."
    )


def exclusions(report: Report) -> list[str]:
    """What was left out of the audit or replaced, one sentence each; empty where nothing was."""
    facts = report.task
    said = {
        f"{facts['duplicates_removed']:,} exact duplicates were removed before training.": facts[
            "duplicates_removed"
        ],
        f"{len(facts['diverged'])} models diverged and were excluded (ids {_listed(facts['diverged'])}).": facts[
            "diverged"
        ],
        f"{facts['dropped_points']:,} records had too few models with or without them and were not attacked.": facts[
            "dropped_points"
        ],
        f"{facts['non_finite_attributions']:,} attributions were not finite and were set to zero.": facts[
            "non_finite_attributions"
        ],
    }
    return [sentence for sentence, happened in said.items() if happened]


def lead(report: Report) -> str:
    """The headline: what predictions give away, and what the worst explanation adds."""
    alone = headline.row(report, "prediction")
    if alone is None:
        return "No attack on predictions was run."
    sentence = (
        f"An attacker who sees only predictions catches {percent(headline.tpr(report, alone)['value'])} of the training "
        f"records at {false_alarms(headline.rate(report))}"
    )
    explainer = headline.worst(report)
    both = headline.row(report, "both", explainer) if explainer else None
    if explainer is None or both is None:
        return f"{sentence}."
    count = len(headline.explainers(report))
    among = f" (the largest margin of {count} explainers)" if count > 1 else ""
    return (
        f"{sentence}; with explanations by {explainer}{among}, {percent(headline.tpr(report, both)['value'])}: "
        f"{added(report, headline.margin(report, both))}."
    )


def added(report: Report, margin: Row) -> str:
    """What an explanation adds, as a clause; never "safe": the smallest margin that could have been seen instead."""
    if not known(margin):
        return "what the explanation adds could not be measured"
    if headline.measurable(margin):
        return f"the explanation adds {_points(margin)}"
    return f"no measurable extra leakage, {_points(margin)}; {floor(report)}"


def hardening(report: Report) -> list[str]:
    """What the worst explainer adds under each defense, one sentence each."""
    explainer = headline.worst(report)
    sentences = []
    for name in headline.defenses(report):
        both = headline.row(report, "both", explainer, name) if explainer and name != headline.PLAIN else None
        if both is not None:
            sentences.append(f"Hardened with {name}: {added(report, headline.margin(report, both))}.")
    return sentences


def floor(report: Report) -> str:
    """The smallest margin that the audit could have seen, as a clause."""
    value, rate = report.smallest_margin["value"], report.smallest_margin["fpr"]
    if not known(value):
        return "the smallest margin that this audit could have seen is not known"
    return f"this audit could not have seen a margin below {_hundredths(value)} percentage points at {false_alarms(rate)}"


def alarm(report: Report) -> str:
    """The warning that controls failed, or nothing where all passed."""
    failed = [control["name"] for control in report.controls if not control["passed"]]
    if not failed:
        return (
            ""
            if report.controls
            else "NO CONTROLS WERE RUN: nothing shows that the figures below can be trusted."
        )
    return (
        f"{len(failed)} OF {len(report.controls)} CONTROLS FAILED ({', '.join(failed)}): "
        "the audit itself is not sound, do not rely on the figures below."
    )


def sentence(clause: str) -> str:
    """A clause as a sentence of its own."""
    return f"{clause[:1].upper()}{clause[1:]}."


def _points(figure: Row) -> str:
    ends = interval(figure, _hundredths)
    return f"{_hundredths(figure['value'])} percentage points ({ends})" if known(figure) else UNKNOWN


def _hundredths(value: float) -> str:
    scaled = round(100.0 * value, 2) + 0.0
    return f"{scaled:.1f}" if abs(scaled) >= 1 or scaled == 0 else f"{scaled:.2f}"


def _listed(ids: Any, most: int = 8) -> str:
    shown = ", ".join(str(item) for item in ids[:most])
    return shown if len(ids) <= most else f"{shown}, ..."
