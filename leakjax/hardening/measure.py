"""What chosen defenses do on the targets: the audit's attack refitted for each, utility on the targets themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax.auditing.chunks import Program
from leakjax.auditing.explanations import defend_program, explain_program, stream_explanations
from leakjax.auditing.judge import Judge
from leakjax.auditing.predictions import Predictions, predict_program, stream_predictions
from leakjax.auditing.rows import Sitting
from leakjax.auditing.score import baseline, score
from leakjax.auditing.subject import Subject
from leakjax.data import evenly_spaced
from leakjax.defend import Defense, identity
from leakjax.evaluate import Estimate, bootstrap, leakage
from leakjax.evaluate.document import to_json
from leakjax.explain import Explainer
from leakjax.hardening import world as worlds
from leakjax.hardening.denoised import denoiser
from leakjax.hardening.useful import losses

# The releases under which margins are measured, and the false-positive rate at which.
RELEASES = ("label", "vector")
_AT = leakage.RATES.index("0.01")
# A plain margin must exceed so many standard errors before a cut is a cut of something.
_STANDARD_ERRORS = 3
# An attacker learns what takes noise off a map from so many points.
_LEARNED_FROM = 256
_NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


class Chosen(NamedTuple):
    """A defense that is to be measured.

    Attributes:
      policy: whose output is explained.
      defense: of the maps.
      role: as `MeasuredRow.role`; where it is "denoised", the defense draws noise.
      repeats: of how many answers it is the mean.
    """

    policy: str
    defense: Defense
    role: str
    repeats: int = 1


class Court(NamedTuple):
    """Targets that are attacked again and again: what every defense of every explainer is measured against.

    Attributes:
      sitting: the subject, its predictions, the attack on them alone, and who judges scores.
      classes: int32 [models, points], the class that each model explains, by policy.
      programs: compiled defenses by name, filled as they are met.
    """

    sitting: Sitting
    classes: Mapping[str, np.ndarray]
    programs: dict[str, Any]


def court(subject: Subject) -> Court:
    """Attacks the predictions of a subject.

    Args:
      subject: targets and shadows; its releases must be `RELEASES`. Its models that are no targets vote on the
        reference class.
    """
    predictions = stream_predictions(predict_program(subject), subject)
    judge = Judge(subject, seed=subject.seed)
    base = baseline(subject, predictions, RELEASES)
    judge = judge.narrowed(base.there[subject.targets])
    logits = worlds.logits_of(subject)
    reference = np.delete(logits, subject.targets, axis=0)
    by_policy = worlds.explained_by_policy(worlds.POLICIES, logits, subject.points.y, reference)
    return Court(Sitting(subject, predictions, base, judge), by_policy, {})


def measure(
    court: Court, explainer: Explainer, figure: str, chosen: Sequence[Chosen]
) -> list[dict[str, Any]]:
    """Measures defenses of one explainer, each beside the plain map under the same policy.

    Args:
      court: the targets.
      explainer: of one example.
      figure: the quoted figure of utility.
      chosen: what is measured; plain maps under each of their policies come first by themselves.

    Returns:
      For each, `MeasuredRow`'s fields but for the explainer's name, as JSON values.
    """
    rows = []
    subject = court.sitting.subject
    explain = explain_program(subject, explainer)
    for policy in dict.fromkeys(one.policy for one in chosen):
        some = [Chosen(policy, identity(), "plain")]
        some += [one for one in chosen if one.policy == policy and one.defense.name != identity().name]
        defenses = {one.defense.name: one.defense for one in some}
        lost = losses(subject, explainer, court.classes[policy], figure, list(defenses.values()))
        used = dict(zip(defenses, lost, strict=True))
        programs = [program_of(court, one.defense) for one in some]
        if any(one.role == "denoised" for one in some):
            shadows = _shadows(court, explainer, policy, figure)
            programs = [
                defend_program(subject, one.defense, then=denoiser(shadows, one.defense))
                if one.role == "denoised"
                else program
                for one, program in zip(some, programs, strict=True)
            ]
        judged = replicates(court, explain, programs, policy)
        plain = judged[0]
        for one, found in zip(some, judged, strict=True):
            rows.append(
                {
                    "explained_class": policy,
                    "defense": one.defense.name,
                    "role": one.role,
                    "repeats": one.repeats,
                    "points": len(subject.points.x),
                    "figure": figure,
                    "alone": _json(bootstrap.estimate(found.alone)),
                    "margin": _json(bootstrap.estimate(found.margin)),
                    "margin_vector": _json(bootstrap.estimate(found.vector)),
                    **_cut_of(plain.margin, found.margin),
                    **used[one.defense.name],
                }
            )
    return rows


class Replicates(NamedTuple):
    """Shares caught, and margins under the two releases, each [1 + resamples], the mean over targets.

    Attributes:
      alone: by the explanation.
      label: by the label.
      all_probabilities: by all probabilities.
      margin: by label and explanation, less by the label.
      vector: by all probabilities and explanation, less by all probabilities.
    """

    alone: np.ndarray
    label: np.ndarray
    all_probabilities: np.ndarray
    margin: np.ndarray
    vector: np.ndarray


def program_of(court: Court, defense: Defense) -> Program:
    """`defend_program` of the court's subject, compiled once for all explainers."""
    if defense.name not in court.programs:
        court.programs[defense.name] = defend_program(court.sitting.subject, defense)
    return court.programs[defense.name]


def _shadows(court: Court, explainer: Explainer, policy: str, figure: str) -> worlds.World:
    """The explanations of the models that are not attacked, at some of the points."""
    subject = court.sitting.subject
    others = np.delete(np.arange(subject.models), subject.targets)
    rows = evenly_spaced(min(_LEARNED_FROM, len(subject.points.x)), len(subject.points.x))
    few = subject.of_points(len(rows))
    explained = court.classes[policy][:, rows]
    whole = worlds.world(few, explainer, explained, worlds.logits_of(few), figure)
    return worlds.part(whole, models=others)


def replicates(court: Court, explain: Program, defend: Sequence[Program], policy: str) -> list[Replicates]:
    """Explains the points once, defends, attacks and judges.

    Args:
      court: the targets.
      explain: from `explain_program`, of the court's subject.
      defend: from `defend_program`, of the same subject.
      policy: whose output is explained.

    Returns:
      What is caught through each of `defend`.
    """
    subject, predictions, base, judge, _ = court.sitting
    shown: Predictions = predictions._replace(explained=court.classes[policy])
    found = []
    for one in stream_explanations(explain, defend, subject, shown, np.array([], int)):
        scores = score(subject, base, one)
        own = judge.narrowed(scores.valid)
        mean = lambda tpr, own=own: bootstrap.mean_over_targets(tpr[_AT], own.resamples)
        both, alone = ([own.rates(each).tpr for each in of] for of in (scores.both, scores.prediction))
        margins = [mean(with_map - without) for with_map, without in zip(both, alone, strict=True)]
        caught = [mean(tpr) for tpr in (own.rates(scores.explanation).tpr, *alone)]
        found.append(Replicates(*caught, *margins))
    return found


def counts(plain: np.ndarray) -> bool:
    """Whether a plain margin, [1 + resamples], exceeds 3 standard errors, so that there is something to cut."""
    before = bootstrap.estimate(plain)
    return bool(before.value > _STANDARD_ERRORS * before.error)


def cut(plain: np.ndarray, hardened: np.ndarray) -> Estimate:
    """The share of a plain margin that is gone, paired over resamples; NaN where there is nothing to cut.

    Args:
      plain: [1 + resamples].
      hardened: [1 + resamples], of the same resamples.
    """
    if not counts(plain):
        return _NOTHING
    with np.errstate(divide="ignore", invalid="ignore"):
        return bootstrap.estimate(np.where(plain > 0, 1 - hardened / plain, np.nan))


def _cut_of(plain: np.ndarray, hardened: np.ndarray) -> dict[str, Any]:
    return {"counts": counts(plain), "cut": _json(cut(plain, hardened))}


def _json(value: Estimate) -> dict[str, Any]:
    return to_json(value)
