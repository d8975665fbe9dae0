"""The sentences and numbers that the terminal and the page share."""

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeGuard

from leakjax.evaluate import headline
from leakjax.evaluate.document import NONE, Control, Estimate, Explained, LeakageRow, PrivateTraining, Report
from leakjax.report import checks

UNKNOWN = "not measured"
FEWER = "†"
MARKS = {"no measurable leak": "*", "inconclusive": "?"}  # by the grade of a margin

Form = Callable[[float | None], str]


def number(value: float | None) -> str:
    """A plain number, to four decimals."""
    return f"{value:.4f}" if measured(value) else UNKNOWN


def area(value: float | None) -> str:
    """An area under the ROC curve, to three decimals."""
    return f"{value:.3f}" if measured(value) else UNKNOWN


def ratio(value: float | None) -> str:
    """A ratio or a cosine, to two decimals."""
    return f"{round(value, 2) + 0.0:.2f}" if measured(value) else UNKNOWN


def percent(value: float | None) -> str:
    """A share in percent: 0.083 is "8.3 %"."""
    return f"{hundredths(value)} %" if measured(value) else UNKNOWN


def signed(value: float | None) -> str:
    """A difference of shares in percentage points, with its sign: 0.047 is "+4.70"."""
    # + 0.0 makes -0.0 positive.
    return f"{round(100.0 * value, 2) + 0.0:+.2f}" if measured(value) else UNKNOWN


def measured(value: float | None) -> TypeGuard[float]:
    """Whether a value is there and is a number."""
    return value is not None and math.isfinite(value)


def interval(estimate: Estimate, form: Form = number) -> str:
    """The ends of an interval: "1.2 to 3.4"."""
    if not (measured(estimate.low) and measured(estimate.high)):
        return "no interval"
    return f"{form(estimate.low)} to {form(estimate.high)}"


def with_interval(estimate: Estimate, form: Form = number) -> str:
    """An estimate and its interval: "2.3 (1.2 to 3.4)"."""
    if not measured(estimate.value):
        return UNKNOWN
    return f"{form(estimate.value)} ({interval(estimate, form)})"


def false_alarms(rate: str) -> str:
    """A false-positive rate in words: "1 % false alarms"."""
    return f"{100.0 * float(rate):g} % false alarms"


def defense(name: str) -> str:
    """The name of a defense, or "plain" for none."""
    return "plain" if name == headline.PLAIN else name


def released(release: str) -> str:
    """What a service shows of its prediction: "confidence(1)" is "the class and its probability to 1 decimal"."""
    kind, _, detail = release.rstrip(")").partition("(")
    said = {
        NONE: "no prediction",
        "label": "only the class",
        "confidence": f"the class and its probability to {detail} decimal{'' if detail == '1' else 's'}",
        "top": f"the probabilities of the {detail} likeliest classes",
        "vector": "all probabilities",
    }
    return said.get(kind, release)


def explained(row: Explained) -> str:
    """What of the model a row's explanation explains: "logit of the predicted class"."""
    if row.explainer == NONE:
        return NONE
    of_class = f"the {row.explained_class} class"
    return of_class if row.output == "unstated" else f"{row.output.replace('_', ' ')} of {of_class}"


def wrapped(name: str, width: int) -> str:
    """A long name over several lines, broken after a plus or a comma."""
    lines = [""]
    for piece in re.split(r"(?<=[+,])", name):
        if lines[-1] and len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def folded(name: str, width: int) -> str:
    """A text over lines of at most so many characters, broken at spaces, underscores and brackets."""
    lines = [""]
    for piece in re.split(r"(?<=[ _(,])", name):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def task(report: Report) -> str:
    """What was attacked, and how far it overfits."""
    facts = report.task
    train, test = percent(facts.train_accuracy.value), percent(facts.test_accuracy.value)
    return (
        f"{facts.models - len(facts.diverged)} models trained on {facts.dataset} "
        f"({facts.points:,} records, {facts.classes} classes) are right on {train} of the records "
        f"they were trained on and on {test} of the others: a gap of {points(facts.generalisation_gap)}. "
        f"The membership of {facts.audited_points:,} records was attacked.{_private(facts.private)}"
    )


def _private(promised: PrivateTraining | None) -> str:
    if promised is None:
        return ""
    return (
        f" Training was private: epsilon {promised.epsilon:.3g} at delta {promised.delta:.0e} for every record "
        f"(noise multiplier {promised.noise_multiplier:g}, gradients clipped to {promised.clip_norm:g})."
    )


def exclusions(report: Report) -> list[str]:
    """What was left out of the audit or replaced, one sentence each; empty where nothing was."""
    facts = report.task
    duplicates, diverged = facts.duplicates_removed, facts.diverged
    dropped, broken = facts.dropped_points, facts.non_finite_attributions
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


def fewer(report: Report) -> list[str]:
    """What the mark FEWER beside an explainer's number says; empty where all were audited on all records."""
    rows = [
        both
        for _, _, both in headline.listed(report.leakage)
        if both and headline.fewer(report.leakage, both)
    ]
    prediction = headline.row(report.leakage, "prediction")
    if not rows or prediction is None:
        return []
    return [
        f"{FEWER} Audited on fewer records, for its cost: some {rows[0].nonmembers:,} that a target was not "
        f"trained on in place of {prediction.nonmembers:,}. On them the prediction alone catches "
        f"{percent(headline.alone(report.leakage, rows[0]))}."
    ]


def caught_with(report: Report, both: LeakageRow) -> str:
    """The share of members that prediction and explanation catch, marked if it is among fewer records."""
    mark = f" {FEWER}" if headline.fewer(report.leakage, both) else ""
    return percent(headline.tpr(report.leakage, both).value) + mark


def added(report: Report, margin: Estimate) -> str:
    """What an explanation adds, as a clause; never "safe", but what leak could have gone unseen."""
    grade = headline.grade(margin, report.smallest_margin.value)
    if grade == "not measured":
        return "what the explanation adds could not be measured"
    if grade == "leaks":
        return f"the explanation adds {points(margin)}"
    return f"{verdict(report, margin)}, {points(margin)}"


def verdict(report: Report, margin: Estimate) -> str:
    """What a margin shows, in a few words."""
    grade = headline.grade(margin, report.smallest_margin.value)
    unseen = headline.unseen(margin, report.smallest_margin.value)
    if grade == "no measurable leak":
        return f"{grade} above {hundredths(unseen)} percentage points"
    if grade == "inconclusive":
        return f"{grade} ({missed(unseen)})"
    return grade


def missed(unseen: float) -> str:
    """What leak an inconclusive audit could have missed, as a clause."""
    if not measured(unseen):
        return "none of the leaks that were planted to test this audit showed"
    return f"a leak of up to {hundredths(unseen)} percentage points could have gone unseen"


def mark(report: Report, margin: Estimate) -> str:
    """The mark of a margin's grade; empty where it leaks or was not measured."""
    return MARKS.get(headline.grade(margin, report.smallest_margin.value), "")


def marks(report: Report) -> list[str]:
    """What the marks beside margins say; empty where there are none."""
    margins = [row.margin.tpr_at_fpr[headline.rate(report.leakage)] for row in report.leakage if row.margin]
    grades = {headline.grade(margin, report.smallest_margin.value) for margin in margins}
    leak = f"a leak above {hundredths(headline.COARSE)} percentage points"
    said = {
        "no measurable leak": f"No measurable leak: the interval reaches 0, and {leak} would have shown.",
        "inconclusive": f"Inconclusive: the interval reaches 0, but {leak} could have gone unseen.",
    }
    return [f"{shown} {said[grade]}" for grade, shown in MARKS.items() if grade in grades]


def hardening(report: Report) -> list[str]:
    """What the worst explainer adds under each defense, and what its explanations alone give away."""
    worst = headline.worst(report.leakage)
    sentences: list[str] = []
    if worst is None:
        return sentences
    explainer = worst.explainer
    for name in headline.defenses(report.leakage):
        both = headline.row(report.leakage, "both", explainer, name)
        if both is None or name == headline.PLAIN:
            continue
        found = added(report, headline.margin(report.leakage, both))
        sentences.append(
            f"{explainer} hardened with {name}, where the service shows {released(worst.release)}: {found}."
        )
        alone = [
            headline.row(report.leakage, "explanation", explainer, one) for one in (headline.PLAIN, name)
        ]
        shares = [percent(headline.tpr(report.leakage, row).value) for row in alone if row is not None]
        if len(shares) == 2:
            sentences.append(
                f"Without anything else, the explanation alone catches {shares[0]} of the training records, and "
                f"{shares[1]} when hardened."
            )
    return sentences


def cost(report: Report) -> list[str]:
    """What each defense changes in the explanations that leak most, one sentence each."""
    worst = headline.worst(report.leakage)
    return [
        f"{row.defense} leaves a cosine of {with_interval(row.cosine, ratio)} to the plain explanation "
        f"and keeps {percent(row.top_overlap.value)} of its most important features."
        for row in report.utility
        if worst and row.explainer == worst.explainer and row.defense != headline.PLAIN
    ]


def floor(report: Report) -> str:
    """What the audit is known to be able to see, as a clause."""
    value, rate = report.smallest_margin.value, report.smallest_margin.fpr
    if not measured(value):
        return "none of the leaks that were planted to test this audit showed"
    least = f"{hundredths(value)} percentage points"
    return f"the weakest planted leak that this audit saw adds {least} at {false_alarms(rate)}"


def attacker(leading: LeakageRow) -> str:
    """The headline attack, and what the attacker knows."""
    label = "knows" if leading.label_known else "does not know"
    return f"The attack is {leading.attack}; the attacker {label} the true label of a record."


def limits(report: Report) -> list[str]:
    """What the audit cannot see, one sentence each."""
    said = [
        f"{sentence(floor(report))} Where no extra leakage was measured, there may still be less than that."
    ]
    leading = headline.lead(report.leakage)
    if leading is not None:
        rate = headline.rate(report.leakage)
        allowed = leading.false_positives_allowed[rate]
        said.append(
            f"Models attacked: {leading.targets:,}. Each had about {leading.nonmembers:,} records that "
            f"it was not trained on, so that {false_alarms(rate)} are {allowed:,} records; rarer "
            "false alarms are estimated from fewer."
        )
    count = len(headline.explainers(report.leakage))
    if count > 1:
        said.append(
            f"The explainer in the headline is the one of {count} that added most beside that release, so that "
            "its number is rather too high than too low; each interval is for one row."
        )
    said.append(
        "Only the attacks in the list below were run: a stronger attack, or one that sees several "
        "explanations of a record, may find more."
    )
    said.append(
        "The results hold for models trained as these were; another training recipe needs its own audit."
    )
    return said


def alarm(report: Report) -> str:
    """The warning that controls failed, or nothing where all passed."""
    if not report.controls:
        return "NO CONTROLS WERE RUN: nothing shows that the numbers below can be trusted."
    failed = [
        f"{control.name}: {checks.plain(control).name}" for control in report.controls if control.failed
    ]
    if not failed:
        return ""
    return (
        f"{len(failed)} OF {len(report.controls)} CONTROLS FAILED ({', '.join(failed)}): "
        "the audit itself is not sound, do not rely on the numbers below."
    )


def state(control: Control) -> str:
    """Whether a control passed, or why it was not run."""
    if control.not_run is not None:
        return f"not run: {control.not_run}"
    return "passed" if control.passed else "FAILED"


def exposed(report: Report) -> str:
    """How surely the most exposed records are recognised: counts, and no record's id."""
    if not report.exposed:
        return "None were listed."
    shares = [row.share_caught for row in report.exposed]
    return (
        f"The {len(shares)} records that are recognised most surely were found in {percent(min(shares))} to "
        f"{percent(max(shares))} of the models trained on them, at {false_alarms(headline.rate(report.leakage))}. "
        "exposed.json beside this page names them; it is for the owner of the data alone."
    )


def left_out(report: Report) -> list[str]:
    """The explainers that do not apply to the model, one sentence each."""
    return [f"{one.name} was left out: {one.why}" for one in report.left_out]


def sentence(clause: str) -> str:
    """A clause as a sentence of its own."""
    return f"{clause[:1].upper()}{clause[1:]}."


def points(estimate: Estimate) -> str:
    """A difference of shares with its interval: "2.1 percentage points (1.7 to 2.7)"."""
    if not measured(estimate.value):
        return UNKNOWN
    ends = interval(estimate, hundredths)
    return f"{hundredths(estimate.value)} percentage points ({ends})"


def hundredths(value: float | None) -> str:
    """A share times 100: 0.0047 is "0.47", 0.047 is "4.7"."""
    if not measured(value):
        return UNKNOWN
    scaled = round(100.0 * value, 2) + 0.0
    return f"{scaled:.1f}" if abs(scaled) >= 1 or scaled == 0 else f"{scaled:.2f}"


def _listed(ids: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(str(item) for item in ids[:most])
    return shown if len(ids) <= most else f"{shown}, ..."
