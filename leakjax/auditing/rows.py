"""The rows of a report, from what each explainer and defense was found to leak."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from leakjax import _progress
from leakjax.auditing.explanations import MEASURES, Explanations
from leakjax.auditing.judge import Judge
from leakjax.auditing.neighbours import Near
from leakjax.auditing.predictions import Predictions
from leakjax.auditing.score import Baseline, Scores
from leakjax.auditing.subject import Subject
from leakjax.data import Points
from leakjax.evaluate import bootstrap, headline
from leakjax.evaluate.document import (
    Attacked,
    Curve,
    Example,
    Explained,
    ExposedRow,
    GroupRow,
    LeakageRow,
    Task,
    UtilityRow,
    View,
)
from leakjax.evaluate.leakage import Rates
from leakjax.explain import Named

_EXPOSED = 20
STACKED = "stacked"  # the attack that all of these are of

Judged = tuple[LeakageRow, Curve]


class Found(NamedTuple):
    """What one explainer leaks under one defense, as arrays that can be kept.

    Attributes:
      prediction: [releases, targets, points], scores of the stacked attack on the prediction.
      explanation: [targets, points], on the explanation.
      both: [releases, targets, points], on both.
      valid: bool [targets, points], where these scores mean something.
      log_l1: [models, points], see `explanations.Explanations`.
      change: [points, measures], see `explanations.Explanations`.
      non_finite: how many attributions were not finite.
      examples: [examples, ...], released maps.
      beside: [releases, targets, points], on both, with all further queries near each point; no releases where
        none may be asked.
    """

    prediction: np.ndarray
    explanation: np.ndarray
    both: np.ndarray
    valid: np.ndarray
    log_l1: np.ndarray
    change: np.ndarray
    non_finite: np.ndarray
    examples: np.ndarray
    beside: np.ndarray = np.zeros((0, 0, 0))

    @classmethod
    def of(cls, scores: Scores, streamed: Explanations, beside: np.ndarray | None = None) -> "Found":
        """What was scored and what was streamed, together."""
        found = cls(*scores, streamed.log_l1, streamed.change, np.sum(~streamed.finite), streamed.examples)
        return found if beside is None else found._replace(beside=beside)


class Sitting(NamedTuple):
    """Points that are audited together: what is audited, its predictions, the attacks on them, and who judges."""

    subject: Subject
    predictions: Predictions
    base: Baseline
    judge: Judge
    near: Near | None = None


class Result(NamedTuple):
    """What was found in a sitting about one explanation."""

    sitting: Sitting
    found: Found
    explanation: Explained


Results = Mapping[tuple[str, str], Result]  # by explainer and defense


def explained(name: str, method: Named | None, defense: str, subject: Subject) -> Explained:
    """Which explanation is meant by an explainer's name, its method (None for the user's own) and a defense's name."""
    return Explained(
        explainer=name,
        family="custom" if method is None else method.method.family,
        # A function says nothing about itself.
        output="unstated" if method is None else method.output,
        explained_class=subject.explained_class,
        defense=defense,
    )


def attacked(
    view: View, attack: str, subject: Subject, release: str, explanation: Explained | None = None
) -> Attacked:
    """What an attack on a subject saw and knew."""
    shown = explanation or Explained()
    return Attacked(**vars(shown), release=release, view=view, attack=attack, label_known=subject.label_known)


def leakage(results: Results) -> list[Judged]:
    """The rows of the stacked attack and their curves, release by release: predictions first, then each explanation.

    Args:
      results: by explainer and defense; the predictions are those of the first one's sitting.
    """
    (subject, _, _, judge, _), first, _ = next(iter(results.values()))
    judges = {about: one.sitting.judge.narrowed(one.found.valid) for about, one in results.items()}
    over: dict[
        tuple[int, int], Rates
    ] = {}  # the prediction alone on the same points, of each release and judge

    def row(view: View, at: int, about: tuple[str, str] | None) -> Judged:
        release = "none" if view == "explanation" else subject.releases[at]
        if about is None:
            return judge.row(first.prediction[at], attacked(view, STACKED, subject, release))
        own, (_, one, explanation) = judges[about], results[about]
        seen = attacked(view, STACKED, subject, release, explanation)
        if view == "explanation":
            return own.row(one.explanation, seen)
        if (at, id(own)) not in over:
            over[at, id(own)] = own.rates(one.prediction[at])
        return own.row(one.both[at], seen, over[at, id(own)])

    every: list[tuple[View, int, tuple[str, str] | None]] = []
    for at in range(len(subject.releases)):
        every += [("prediction", at, None), *(("both", at, about) for about in results)]
    every += [("explanation", 0, about) for about in results]
    return [row(*one) for one in _progress.track(every)]


def task(sitting: Sitting, results: Results, diverged: np.ndarray) -> Task:
    """What was attacked: sizes, accuracies with intervals over points, what was dropped."""
    subject, predictions, _, judge, _ = sitting
    correct, membership = predictions.correct, subject.membership
    weights = judge.resamples.points

    def accuracy(part: np.ndarray) -> np.ndarray:
        return np.mean(((correct & part) @ weights) / (part @ weights), axis=0)

    train, test = accuracy(membership), accuracy(~membership)
    return Task(
        dataset=subject.points.name,
        points=len(subject.points.x),
        duplicates_removed=subject.points.duplicates,
        classes=subject.points.classes,
        models=subject.models + len(diverged),
        diverged=[int(i) for i in diverged],
        train_accuracy=bootstrap.estimate(train),
        test_accuracy=bootstrap.estimate(test),
        generalisation_gap=bootstrap.estimate(train - test),
        audited_points=len(subject.points.x),
        dropped_points=int((~judge.valid).any(axis=0).sum()),
        non_finite_attributions=sum(int(found.non_finite) for _, found, _ in results.values()),
    )


def utility(results: Results) -> list[UtilityRow]:
    """What each defense changes, mean over points with intervals."""
    rows = []
    for sitting, found, explanation in results.values():
        weights, measures = sitting.judge.resamples.points, {}
        for i, name in enumerate(MEASURES):
            values = found.change[:, i]
            measured = np.isfinite(values)
            mean = (np.where(measured, values, 0.0) @ weights) / (measured @ weights)
            measures[name] = bootstrap.estimate(mean)
        rows.append(UtilityRow(**{**vars(explanation), **measures}))
    return rows


def exposed(results: Results, leakage: Sequence[LeakageRow]) -> list[ExposedRow]:
    """The points that the attack behind the headline catches most often."""
    worst = headline.worst(leakage)
    if worst is None:
        return []
    (subject, _, _, judge, _), found, _ = results[worst.explainer, worst.defense]
    scores = found.both[subject.releases.index(worst.release)]
    return judge.exposed(scores, worst.about, subject.points.ids, _EXPOSED)


def groups(results: Results, group: str | None) -> list[GroupRow]:
    """Leakage by the levels of a group column: from predictions, and from both for each explainer and defense."""
    if group is None or not _stacked(results):
        return []
    (subject, _, _, judge, _), first, _ = next(iter(results.values()))
    levels, leading = subject.points.groups[group], subject.releases[0]
    about = attacked("prediction", STACKED, subject, leading)
    rows = judge.groups(first.prediction[0], about, group, levels)
    for (subject, _, _, judge, _), found, explanation in results.values():
        about = attacked("both", STACKED, subject, leading, explanation)
        rows += judge.groups(found.both[0], about, group, subject.points.groups[group])
    return rows


def _stacked(results: Results) -> bool:
    """Whether there were models enough for the stacked attack."""
    return next(iter(results.values())).sitting.subject.stackable


def examples(points: Points, results: Results, ids: np.ndarray) -> list[Example]:
    """Inputs with their maps under every explainer and defense, as the first target explains them."""
    rows = []
    for i, row in enumerate(np.flatnonzero(np.isin(points.ids, ids))):
        maps: dict[str, dict[str, np.ndarray]] = {}
        for (explainer, defense), (_, found, _) in results.items():
            maps.setdefault(explainer, {})[defense] = found.examples[i]
        label = int(points.y[row])
        rows.append(Example(id=int(points.ids[row]), input=points.x[row], label=label, maps=maps))
    return rows
