"""The annex for a privacy officer: what this audit measured, in the terms of the law. Facts, and no legal advice."""

from typing import NamedTuple

from leakjax.evaluate import headline
from leakjax.evaluate.document import Report
from leakjax.evaluate.leakage import chance_tpr
from leakjax.report import words
from leakjax.report.recommend import recommended
from leakjax.report.tables import TEXT, Table, table


class Annex(NamedTuple):
    """Tables of questions and facts, by the text whose terms they use."""

    opinion: Table
    assessment: Table
    explanation: Table


def annex(report: Report) -> Annex:
    """The facts of an audit that bear on EDPB opinion 28/2024, GDPR Art. 35 and AI Act Art. 86."""
    return Annex(_opinion(report), _assessment(report), _explanation(report))


def _opinion(report: Report) -> Table:
    leading, task = headline.lead(report.leakage), report.task
    rate = words.false_alarms(headline.rate(report.leakage))
    known = "knows the record and its true label" if leading and leading.label_known else "knows the record"
    return _facts(
        {
            "Likelihood that queries tell who was in the training data": _likelihood(report),
            "For whom": f"{task.audited_points:,} records of {task.dataset} were attacked. {words.exposed(report)}",
            "By whom": f"By anyone who {known}, asks the service once about it, and can train models like it: "
            f"{task.models - len(task.diverged) - 1:,} shadow models on data of the same kind were used.",
            "With which means": f"Membership inference by {leading.attack if leading else 'no attack'}, at {rate}. "
            "Not measured: attribute inference, model inversion and reconstruction, unless a section of "
            "this page is about them; exfiltration of the model itself; regurgitation of training data.",
            "Direct extraction from the model's weights": "Not measured: the attacker sees answers, never weights.",
            "How sure": f"{words.sentence(words.floor(report))} {_controls(report)}",
        }
    )


def _likelihood(report: Report) -> str:
    said = []
    releases: list[str | None] = [*headline.releases(report.leakage)]
    for release in releases or [None]:
        worst, row = (
            headline.worst(report.leakage, release),
            headline.row(report.leakage, "prediction", release=release),
        )
        if row is None:
            continue
        alone = words.percent(
            headline.alone(report.leakage, worst) if worst else headline.tpr(report.leakage, row).value
        )
        chance = words.percent(chance_tpr(float(headline.rate(report.leakage)), row.nonmembers))
        both = (
            f", {words.percent(headline.tpr(report.leakage, worst).value)} with explanations" if worst else ""
        )
        said.append(
            f"Where the service shows {words.released(row.release)}: {alone} of the members "
            f"recognised{both} (guessing {chance})."
        )
    return " ".join(said) or "Not measured."


def _assessment(report: Report) -> Table:
    found = recommended(report)
    hardened = [name for name in headline.defenses(report.leakage) if name != headline.PLAIN]
    measures = f"Tried: {', '.join(hardened)}." if hardened else "None was tried."
    if found is not None and found.defense != headline.PLAIN:
        measures += f" Under {found.defense} no leak was measurable beside any release."
    if report.task.private is not None:
        promised = report.task.private
        measures += (
            f" Training was differentially private: epsilon {promised.epsilon:.3g} at delta "
            f"{promised.delta:.0e} a record."
        )
    return _facts(
        {
            "The processing (Art. 35(7)(a))": words.task(report),
            "The risk that was assessed (Art. 35(7)(c))": "That somebody learns from answers and explanations that "
            "a person's record was used for training. What that reveals of a person depends on the data "
            "set, and is the controller's to judge.",
            "Unevenly borne": "By group: see “Who is exposed”."
            if report.groups
            else "Not broken down by group; --group=COLUMN does it.",
            "Measures against it (Art. 35(7)(d))": measures,
        }
    )


def _explanation(report: Report) -> Table:
    explainers = headline.explainers(report.leakage)
    found = recommended(report)
    kept = "No hardening was recommended."
    if found is not None and found.defense == headline.PLAIN:
        kept = "Explanations can be given as they are: they add nothing measurable to the answers."
    elif found is not None:
        kept = (
            f"Under {found.defense} an explanation keeps a cosine of "
            f"{words.ratio(found.utility.cosine.value)} to the plain one and "
            f"{words.percent(found.utility.top_overlap.value)} of its most important features. Whether it "
            "is still clear and meaningful to the person concerned was not measured."
        )
    return _facts(
        {
            "Which explanations (Art. 86(1))": "Attributions to the features of an input, by "
            f"{', '.join(explainers) or 'no explainer'}.",
            "What they give away of others": "See “What leaks”: that other persons' records were used for training.",
            "What is left of them when hardened": kept,
        }
    )


def _controls(report: Report) -> str:
    failed = sum(control.failed for control in report.controls)
    run = sum(control.not_run is None for control in report.controls)
    return f"Of {run} controls that were run, {run - failed} passed."


def _facts(rows: dict[str, str]) -> Table:
    return table({"asked": TEXT, "what this audit says": TEXT}, list(rows.items()))
