"""The third step of an audit: every explainer on the points, through every defense, attacked."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from leakjax import _progress
from leakjax._workdir import Workdir
from leakjax.auditing.chunks import Program
from leakjax.auditing.clock import Clock
from leakjax.auditing.decides import explainer_mark, subject_mark
from leakjax.auditing.explanations import (
    Explanations,
    defend_program,
    explain_program,
    stream_explanations,
)
from leakjax.auditing.judge import Judge
from leakjax.auditing.neighbours import ask
from leakjax.auditing.predictions import Predictions, predict_program, stream_predictions
from leakjax.auditing.resolve import Methods
from leakjax.auditing.rows import Found, Result, Results, Sitting, explained
from leakjax.auditing.score import Baseline, Scores, baseline, score
from leakjax.auditing.subject import Subject
from leakjax.explain import Explainer

_EXAMPLES = 2


class Programs(NamedTuple):
    """The compiled programs of a subject that all explainers share.

    Attributes:
      predict: see `predict_program`.
      defend: by the defense's name, see `defend_program`.
    """

    predict: Program
    defend: Mapping[str, Program]


class Measured(NamedTuple):
    """What was found.

    Attributes:
      results: by explainer and defense, in the order in which they were named.
      whole: the sitting of all points.
      shown: int [examples], ids of points whose maps were kept.
      programs: for further attacks on the same subject.
      marks: fingerprints of the subject, under None, and of what was found with each explainer; none without a store.
    """

    results: Results
    whole: Sitting
    shown: np.ndarray
    programs: Programs
    marks: Mapping[str | None, str]


def measure(
    subject: Subject,
    methods: Methods,
    *,
    costly_points: int | None,
    store: Workdir | None,
    clock: Clock,
) -> Measured:
    """Predicts once, then explains, defends and attacks with each explainer.

    Args:
      subject: what is audited.
      methods: with what.
      costly_points: on how many of the points costly explainers are audited; None: on all.
      store: of finished explainers.
      clock: times a stage.

    Returns:
      `Measured`.
    """
    defend = {name: defend_program(subject, defense) for name, defense in methods.defenses.items()}
    together = {name: defend_program(subject, one, several=True) for name, one in methods.defenses.items()}
    programs = Programs(predict_program(subject), defend)
    with clock("predict"):
        whole = few = sit(subject, programs.predict)
        if costly_points is not None and methods.costly and costly_points < len(subject.points.x):
            few = sit(subject.of_points(costly_points), programs.predict)
    shown = _examples(few)
    marks = {} if store is None else {id(each): subject_mark(each.subject, shown) for each in (whole, few)}
    kept: dict[str | None, str] = {} if store is None else {None: marks[id(whole)]}
    results: dict[tuple[str, str], Result] = {}
    for name, explainer in methods.explainers.items():
        sitting = few if name in methods.costly else whole
        through = together if methods.named[name].parts else defend
        work = functools.partial(_found, sitting, explainer, list(through.values()), shown)
        with clock(f"explain {name}"):
            if store is None:
                found = work()
            else:
                mark = explainer_mark(
                    sitting.subject, marks[id(sitting)], explainer, methods.defenses.values()
                )
                found = store.stage(f"explain {name}", mark, work)
                kept[name] = mark
        for defense, one in zip(defend, found, strict=True):
            about = explained(name, methods.named[name], defense, subject)
            results[name, defense] = Result(sitting, Found(**one), about)
    return Measured(results, whole, shown, programs, kept)


def attack(
    predict: Program, explain: Program, defend: Program, subject: Subject, *, alone: bool = True
) -> Scores:
    """The whole attack on a subject under its first release, from its predictions to scores.

    Args:
      predict: from `predict_program`, for a subject of these sizes.
      explain: from `explain_program`.
      defend: from `defend_program`.
      subject: what is attacked.
      alone: whether explanations are attacked without any prediction, too.

    Returns:
      The scores.
    """
    for explains in _progress.track((False, True)):  # one bar for both
        if not explains:
            predictions = stream_predictions(predict, subject)
            base = baseline(subject, predictions, subject.releases[:1])
        else:
            scores = attack_beside(explain, defend, subject, predictions, base, alone=alone)
    return scores


def attack_beside(
    explain: Program,
    defend: Program,
    subject: Subject,
    predictions: Predictions,
    base: Baseline,
    *,
    alone: bool,
) -> Scores:
    """The attack on explanations beside predictions that were attacked before. Args: as of `attack` and `score`."""
    (found,) = stream_explanations(explain, [defend], subject, predictions, np.array([], int))
    return score(subject, base, found, alone=alone)


def sit(subject: Subject, predict: Program) -> Sitting:
    """Predicts all points and attacks the predictions alone.

    Args:
      subject: what is attacked.
      predict: from `predict_program`, for a subject of these sizes.
    """
    found: list[Sitting] = []
    for asks in _progress.track((False, True) if subject.neighbours else (False,)):
        if asks:
            found = [found[0]._replace(near=ask(subject, found[0].base))]
        else:
            predictions = stream_predictions(predict, subject)
            base = baseline(subject, predictions, subject.releases)
            judge = Judge(subject, seed=subject.seed).narrowed(base.there[subject.targets])
            found = [Sitting(subject, predictions, base, judge)]
    return found[0]


def _examples(sitting: Sitting) -> np.ndarray:
    """Ids of the points to show: those that the first target was not trained on and is least sure of."""
    subject, predictions = sitting.subject, sitting.predictions
    target = subject.targets[0]
    others = np.flatnonzero(~subject.membership[target].astype(bool))
    unsure = np.argsort(predictions.signal[target][others], kind="stable")[:_EXAMPLES]
    return subject.points.ids[others[unsure]]


def _found(
    sitting: Sitting, explainer: Explainer, defend: Sequence[Program], shown: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """What one explainer leaks under each defense, the fields of `Found` by name."""
    subject, predictions = sitting.subject, sitting.predictions
    program = explain_program(subject, explainer)
    examples = np.flatnonzero(np.isin(subject.points.ids, shown))
    found: list[dict[str, np.ndarray]] = []
    streamed: list[Explanations] = []
    for done in _progress.track(range(1 + len(defend))):  # one bar for the streaming and all scoring
        if done == 0:
            streamed = stream_explanations(program, defend, subject, predictions, examples)
        else:
            one = streamed[done - 1]
            beside = (
                None if sitting.near is None else score(subject, sitting.near.base, one, alone=False).both
            )
            found.append(Found.of(score(subject, sitting.base, one), one, beside)._asdict())
    return found
