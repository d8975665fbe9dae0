"""What chosen defenses do on the targets: the audit's attack refitted for each, utility on the targets themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax.auditing.explanations import defend_program, explain_program, stream_explanations
from leakjax.auditing.judge import Judge
from leakjax.auditing.predictions import Predictions, predict_program, stream_predictions
from leakjax.auditing.rows import Sitting
from leakjax.auditing.score import baseline, score
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, identity
from leakjax.evaluate import Estimate, bootstrap, leakage
from leakjax.evaluate.document import to_json
from leakjax.explain import Explainer
from leakjax.hardening import world as worlds
from leakjax.hardening.useful import losses

# The releases under which margins are measured, and the false-positive rate at which.
RELEASES = ("label", "vector")
_AT = leakage.RATES.index("0.01")
# A plain margin must exceed so many standard errors before a cut is a cut of something.
_STANDARD_ERRORS = 3
_NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


class Chosen(NamedTuple):
    """A defense that is to be measured.

    Attributes:
      policy: whose output is explained.
      defense: of the maps.
      role: as `MeasuredRow.role`.
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
    program = explain_program(subject, explainer)
    for policy in dict.fromkeys(one.policy for one in chosen):
        some = [Chosen(policy, identity(), "plain")]
        some += [one for one in chosen if one.policy == policy and one.defense.name != identity().name]
        used = losses(subject, explainer, court.classes[policy], figure, [one.defense for one in some])
        replicates = _replicates(court, program, some, policy)
        plain = replicates[0]
        for one, found, useful in zip(some, replicates, used, strict=True):
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
                    **_cut(plain.margin, found.margin),
                    **useful,
                }
            )
    return rows


class _Replicates(NamedTuple):
    """Shares caught, and margins under the two releases, each [1 + resamples], the mean over targets."""

    alone: np.ndarray
    margin: np.ndarray
    vector: np.ndarray


def _replicates(court: Court, explain: Any, some: Sequence[Chosen], policy: str) -> list[_Replicates]:
    """Explains the points once, defends, attacks and judges."""
    subject, predictions, base, judge, _ = court.sitting
    for chosen in some:
        if chosen.defense.name not in court.programs:
            court.programs[chosen.defense.name] = defend_program(subject, chosen.defense)
    defend = [court.programs[chosen.defense.name] for chosen in some]
    shown: Predictions = predictions._replace(explained=court.classes[policy])
    streamed = stream_explanations(explain, defend, subject, shown, np.array([], int))
    found = []
    for one in streamed:
        scores = score(subject, base, one)
        own = judge.narrowed(scores.valid)
        mean = lambda tpr, own=own: bootstrap.mean_over_targets(tpr[_AT], own.resamples)
        both, alone = ([own.rates(each).tpr for each in of] for of in (scores.both, scores.prediction))
        margins = [mean(with_map - without) for with_map, without in zip(both, alone, strict=True)]
        found.append(_Replicates(mean(own.rates(scores.explanation).tpr), *margins))
    return found


def _cut(plain: np.ndarray, hardened: np.ndarray) -> dict[str, Any]:
    """The share of a plain margin that is gone, paired over resamples, where there is something to cut."""
    before = bootstrap.estimate(plain)
    counts = bool(before.value > _STANDARD_ERRORS * before.error)
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = bootstrap.estimate(np.where(plain > 0, 1 - hardened / plain, np.nan)) if counts else _NOTHING
    return {"counts": counts, "cut": _json(cut)}


def _json(value: Estimate) -> dict[str, Any]:
    return to_json(value)
