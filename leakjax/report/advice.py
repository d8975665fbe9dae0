"""What the owner should do next, by what the audit found."""

import math

from leakjax.evaluate import headline
from leakjax.evaluate.document import Report
from leakjax.evaluate.leakage import chance_tpr
from leakjax.report import backgrounds, words
from leakjax.report.recommend import promising, recommended

# Predictions that catch so many times what guessing does leak by themselves, whatever becomes of explanations.
_MANY = 2.0
# Directions blurred to such a cosine, from mild to strong: what any map may be hardened by.
_BLURRED = (0.9, 0.6, 0.3)
_NEAR = 0.05  # a cosine of 0.62 was left by a noise of 0.6


def next_steps(report: Report) -> list[str]:
    """What to do, one sentence each, the most urgent first."""
    if not report.controls or any(control.failed for control in report.controls):
        return ["Do not act on these numbers: find out first why a control failed or was not run."]
    grades = headline_grades(report)
    if not grades:
        return ["Audit explanations: none were attacked."]
    steps = _unlike(report)
    if "leaks" in grades.values():
        steps += _mend(report, grades)
    if "inconclusive" in grades.values():
        steps.append(_larger(report))
    if not steps:
        steps.append(
            "Nothing needs to be done about these explanations. Audit again when the training, the "
            "explainer or what the service shows changes"
            + (
                "; --fail_above=0.005 makes the audit a gate of a release pipeline."
                if _trained(report)
                else "."
            )
        )
    return steps + _backgrounds(report) + _predictions(report)


def _unlike(report: Report) -> list[str]:
    """Each target that its shadows do not stand for."""
    differ: dict[int, list[str]] = {}
    for row in report.unlike:
        differ.setdefault(row.model, []).append(
            f"{row.what} {row.value:.3g}, theirs {row.least:.3g} to {row.most:.3g}"
        )
    return [
        f"Do not trust what is said of model {model}: it is unlike its shadows ({'; '.join(what)}). Train shadows as "
        "it was trained, on as many records."
        for model, what in differ.items()
    ]


def headline_grades(report: Report) -> dict[str, headline.Grade]:
    """The grade of the worst explainer beside each release."""
    worsts = {name: headline.worst(report.leakage, name) for name in headline.releases(report.leakage)}
    return {
        name: headline.grade(headline.margin(report.leakage, row), report.smallest_margin.value)
        for name, row in worsts.items()
        if row is not None
    }


def _mend(report: Report, grades: dict[str, headline.Grade]) -> list[str]:
    leaky = [words.released(name) for name, grade in grades.items() if grade == "leaks"]
    found = recommended(report)
    tried = [name for name in headline.defenses(report.leakage) if name != headline.PLAIN]
    if found is not None and found.defense != headline.PLAIN:
        steps = [f"Release explanations hardened by {found.defense}, never plain ones."]
    elif maybe := promising(report):
        steps = [
            f"Explanations hardened by {maybe.defense} may be safe, but this audit is too small to say so. "
            f"Until one is large enough, release none where the service shows {', or '.join(leaky)}."
        ]
    elif tried:
        steps = [f"{_stronger(report)}elease no explanations where the service shows {', or '.join(leaky)}."]
    else:
        steps = [
            "Audit hardened explanations beside the plain ones: "
            "--defenses=none,preset:saliency. Until then release none where "
            f"the service shows {', or '.join(leaky)}."
        ]
    if "no measurable leak" in grades.values():
        steps.append(
            "Showing more is no way out: beside richer answers explanations add nothing because those "
            "answers have given it away already."
        )
    return steps


def _stronger(report: Report) -> str:
    """The beginning of a sentence: what to try that is stronger than all that was tried, if we know of anything."""
    kept = [row.cosine.value for row in report.utility if row.defense != headline.PLAIN]
    least = min(filter(words.measured, kept), default=1.0)
    blurred = next((one for one in _BLURRED if one < least - _NEAR), None)
    if blurred is None:
        return "R"
    return f"Try stronger hardening, as --defenses='none,normalize()+cosine_noise({blurred})', or r"


def _larger(report: Report) -> str:
    least, models = report.smallest_margin.value, report.task.models
    times = 4 if math.isnan(least) else max(2, math.ceil((least / headline.COARSE) ** 2))
    return (
        "Audit with more shadow models or more records before you conclude anything: intervals shrink with "
        f"the square root of both, so that some {times * models:,} models in place of {models:,} should "
        f"show a leak of {words.hundredths(headline.COARSE)} percentage points."
    )


def _backgrounds(report: Report) -> list[str]:
    bare = [row for row in report.backgrounds if row.plain_one and row.recoverable]
    if not bare:
        return []
    hidden = [row for row in backgrounds.protecting(report, bare[0]) if row.defense == headline.PLAIN]
    instead = f", as {hidden[0].compared_with}" if hidden else ""
    named = ", ".join(row.explainer for row in bare)
    return [f"Let {named} compare with nobody's records{instead}: explanations name those of a background."]


def _predictions(report: Report) -> list[str]:
    row = headline.row(report.leakage, "prediction")
    if row is None:
        return []
    found = headline.tpr(report.leakage, row).value
    chance = chance_tpr(float(headline.rate(report.leakage)), row.nonmembers)
    if not found > _MANY * chance:
        return []
    return [
        f"The predictions leak by themselves, {words.percent(found)} where guessing finds "
        f"{words.percent(chance)}: no hardening of explanations mends that. Training that overfits less "
        f"does, or private training{' (--noise_multiplier)' if _trained(report) else ''}."
    ]


def _trained(report: Report) -> bool:
    """Whether `experiments.audit` trained the models, whose flags are of use then."""
    return "noise_multiplier" in report.config
