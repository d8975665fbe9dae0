"""The sentences and numbers that the terminal and the page share."""

import re
from typing import Any

from leakjax.report import headline
from leakjax.report.headline import known
from leakjax.report.schema import Report, Row

UNKNOWN = "not measured"
FEWER = "†"


def number(value: Any) -> str:
    """A plain number, to four decimals."""
    return f"{value:.4f}" if known(value) else UNKNOWN


def area(value: Any) -> str:
    """An area under the ROC curve, to three decimals."""
    return f"{value:.3f}" if known(value) else UNKNOWN


def ratio(value: Any) -> str:
    """A ratio or a cosine, to two decimals."""
    return f"{round(value, 2) + 0.0:.2f}" if known(value) else UNKNOWN


def percent(value: Any) -> str:
    """A share in percent: 0.083 is "8.3 %"."""
    return f"{_hundredths(value)} %" if known(value) else UNKNOWN


def signed(value: Any) -> str:
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


def defense(name: str) -> str:
    """The name of a defense, or "plain" for none."""
    return "plain" if name == headline.PLAIN else name


def wrapped(name: str, width: int) -> str:
    """A long name over several lines, broken after a plus or a comma."""
    lines = [""]
    for piece in re.split(r"(?<=[+,])", name):
        if lines[-1] and len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def task(report: Report) -> str:
    """What was attacked, and how far it overfits."""
    facts = report.task
    train, test = (percent(facts[name]["value"]) for name in ("train_accuracy", "test_accuracy"))
    return (
        f"{facts['models'] - len(facts['diverged'])} models trained on {facts['dataset']} "
        f"({facts['points']:,} records, {facts['classes']} classes) are right on {train} of the records "
        f"they were trained on and on {test} of the others: a gap of {_points(facts['generalisation_gap'])}. "
        f"The membership of {facts['audited_points']:,} records was attacked."
    )


def exclusions(report: Report) -> list[str]:
    """What was left out of the audit or replaced, one sentence each; empty where nothing was."""
    facts = report.task
    duplicates, diverged = facts["duplicates_removed"], facts["diverged"]
    dropped, broken = facts["dropped_points"], facts["non_finite_attributions"]
    said = []
    if duplicates:
        said.append(f"Exact duplicates removed before training: {duplicates:,}.")
    if diverged:
        said.append(f"Models that diverged and were excluded: {len(diverged)} (ids {_listed(diverged)}).")
    if dropped:
        said.append(f"Records not attacked, for too few models with or without them: {dropped:,}.")
    if broken:
        said.append(f"Attributions that were not finite and were set to zero: {broken:,}.")
    return said


def lead(report: Report) -> str:
    """The headline: what predictions give away, and what the worst explanation adds."""
    explainer = headline.worst(report)
    both = headline.row(report, "both", explainer) if explainer else None
    alone = headline.alone(report, both)
    if alone is None:
        return "No attack on predictions was run."
    first = (
        f"An attacker who sees only predictions catches {percent(alone)} "
        f"of the training records at {false_alarms(headline.rate(report))}"
    )
    if both is None:
        return f"{first}."
    if headline.fewer(report, both):
        first += f" among the fewer that {explainer} explained"
    count = len(headline.explainers(report))
    among = f" (the largest margin of {count} explainers)" if count > 1 else ""
    caught = percent(headline.tpr(report, both)["value"])
    return (
        f"{first}; with explanations by {explainer}{among}, {caught}: "
        f"{added(report, headline.margin(report, both))}."
    )


def fewer(report: Report) -> list[str]:
    """What the mark FEWER beside an explainer's figure says; empty where all were audited on all records."""
    rows = [both for _, _, both in headline.listed(report) if both and headline.fewer(report, both)]
    if not rows:
        return []
    all_records = headline.row(report, "prediction")["nonmembers"]  # type: ignore[index]
    return [
        f"{FEWER} Audited on fewer records, for its cost: some {rows[0]['nonmembers']:,} that a target was not "
        f"trained on in place of {all_records:,}. On them the prediction alone catches "
        f"{percent(headline.alone(report, rows[0]))}."
    ]


def caught_with(report: Report, both: Row) -> str:
    """The share of members that prediction and explanation catch, marked if it is among fewer records."""
    mark = f" {FEWER}" if headline.fewer(report, both) else ""
    return percent(headline.tpr(report, both)["value"]) + mark


def added(report: Report, margin: Row) -> str:
    """What an explanation adds, as a clause; never "safe", but what margin could have been seen."""
    if not known(margin):
        return "what the explanation adds could not be measured"
    if headline.reaches_zero(margin):
        return f"{verdict(margin)}, {_points(margin)}; {floor(report)}"
    return f"the explanation adds {_points(margin)}"


def verdict(margin: Row) -> str:
    """What a margin shows, in a few words."""
    if headline.measurable(margin):
        return "leaks"
    return "no measurable extra leakage" if headline.reaches_zero(margin) else UNKNOWN


def hardening(report: Report) -> list[str]:
    """What the worst explainer adds under each defense, and what its explanations alone give away."""
    explainer = headline.worst(report)
    sentences: list[str] = []
    if explainer is None:
        return sentences
    for name in headline.defenses(report):
        both = headline.row(report, "both", explainer, name)
        if both is None or name == headline.PLAIN:
            continue
        sentences.append(f"{explainer} hardened with {name}: {added(report, headline.margin(report, both))}.")
        alone = [headline.row(report, "explanation", explainer, one) for one in (headline.PLAIN, name)]
        shares = [percent(headline.tpr(report, row)["value"]) for row in alone if row is not None]
        if len(shares) == 2:
            sentences.append(
                f"Without the prediction, the explanation alone catches {shares[0]} of the training records, and "
                f"{shares[1]} when hardened."
            )
    return sentences


def cost(report: Report) -> list[str]:
    """What each defense changes in the explanations that leak most, one sentence each."""
    explainer = headline.worst(report)
    return [
        f"{row['defense']} leaves a cosine of {with_interval(row['cosine'], ratio)} to the plain explanation "
        f"and keeps {percent(row['top_overlap']['value'])} of its most important features."
        for row in report.utility
        if row["explainer"] == explainer and row["defense"] != headline.PLAIN
    ]


def floor(report: Report) -> str:
    """What the audit is known to be able to see, as a clause."""
    value, rate = report.smallest_margin["value"], report.smallest_margin["fpr"]
    if not known(value):
        return "none of the leaks that were planted to test this audit showed"
    least = f"{_hundredths(value)} percentage points"
    return f"the weakest planted leak that this audit saw adds {least} at {false_alarms(rate)}"


def attacker(leading: Row) -> str:
    """The headline attack, and what the attacker knows."""
    label = "knows" if leading["label_known"] else "does not know"
    return f"The attack is {leading['attack']}; the attacker {label} the true label of a record."


def limits(report: Report) -> list[str]:
    """What the audit cannot see, one sentence each."""
    said = [
        f"{sentence(floor(report))} Where no extra leakage was measured, there may still be less than that."
    ]
    leading = headline.lead(report)
    if leading is not None:
        rate = headline.rate(report)
        allowed = leading["false_positives_allowed"][rate]
        said.append(
            f"Models attacked: {leading['targets']:,}. Each had about {leading['nonmembers']:,} records that "
            f"it was not trained on, so that {false_alarms(rate)} are {allowed:,} records; rarer "
            "false alarms are estimated from fewer."
        )
    count = len(headline.explainers(report))
    if count > 1:
        said.append(
            f"The explainer in the headline is the one of {count} that added most, so that its figure is "
            "rather too high than too low; each interval is for one row."
        )
    said.append(
        "Only the attacks in the list below were run: a stronger attack, or one that sees several "
        "explanations of a record, may find more."
    )
    said.append(
        "The figures hold for models trained as these were; another training recipe needs its own audit."
    )
    return said


def alarm(report: Report) -> str:
    """The warning that controls failed, or nothing where all passed."""
    if not report.controls:
        return "NO CONTROLS WERE RUN: nothing shows that the figures below can be trusted."
    failed = [control["name"] for control in report.controls if not control["passed"]]
    if not failed:
        return ""
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


def _hundredths(value: Any) -> str:
    scaled = round(100.0 * value, 2) + 0.0
    return f"{scaled:.1f}" if abs(scaled) >= 1 or scaled == 0 else f"{scaled:.2f}"


def _listed(ids: Any, most: int = 8) -> str:
    shown = ", ".join(str(item) for item in ids[:most])
    return shown if len(ids) <= most else f"{shown}, ..."
