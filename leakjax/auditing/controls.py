"""Checks of the audit itself, in every report: attacks that must find nothing, and what was planted."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from leakjax import _progress
from leakjax.attack import stacked
from leakjax.auditing.adequacy import not_run
from leakjax.auditing.judge import Judge
from leakjax.auditing.predictions import Predictions
from leakjax.auditing.score import Scores
from leakjax.auditing.subject import Subject
from leakjax.evaluate import leakage
from leakjax.evaluate.document import Control, Estimate, SmallestMargin

# A control passes within this many bootstrap standard errors of what is expected: among some ten
# controls, a false alarm in about one audit of two thousand.
_TOLERANCE = 4.0
_INPUT_FEATURES = 32
# Shifts of a planted explanation signal, in standard deviations of its noise: the one of the positive control, and
# between which the smallest that shows is sought, by halving the range of its logarithm so many times.
_POSITIVE_SHIFT = 1.0
_SHIFTS = (0.03, 1.6)
_HALVINGS = 4


# The whole attack on a subject, whose variables and membership may be other than those that are audited.
Attack = Callable[[Subject], Scores]


def run(
    subject: Subject,
    judge: Judge,
    attack: Attack,
    placebo: Callable[[], Scores],
    dressed: Callable[[], Scores],
    untrained: Any,
) -> list[Control]:
    """All controls.

    Args:
      subject: what is audited.
      judge: of the subject.
      attack: with plain explanations by one explainer, which stands for all.
      placebo: attacks explanations of the subject that were shuffled between the models.
      dressed: attacks explanations of the subject that say what the prediction says and nothing else.
      untrained: variables of as many models that saw no data, leaves [models, ...]; None where there are none.

    Returns:
      Rows of `controls`.
    """
    chance = judge.chance(float(judge.headline))
    false = permuted(subject)
    every: list[Callable[[], Control]] = [
        lambda: _untrained(subject, judge, attack, untrained, chance),
        lambda: permuted_membership(Judge(false, seed=subject.seed), attack(false).both[0]),
        lambda: input_only(subject, judge),
        lambda: inclusion_count(subject, judge),
        lambda: of_placebo(judge, *_first(placebo())),
        lambda: _dressed(subject, judge, dressed),
    ]
    return [one() for one in _progress.track(every)] + planted(subject, judge)


def of_few_models(subject: Subject, judge: Judge) -> list[Control]:
    """The controls where there are too few models for the stacked attack: those that need none of it.

    Args:
      subject: what is audited.
      judge: of the subject.

    Returns:
      Rows of `controls`.
    """
    why = f"the attack that it checks needs at least {stacked.LEAST_MODELS} models; train more"
    attack = "Is the stacked attack sound where nothing is to be found, and where something was planted?"
    return [
        not_run("stacked", attack, why),
        input_only(subject, judge),
        inclusion_count(subject, judge),
        planted_score(subject, judge),
    ]


def permuted(subject: Subject, number: int = 1) -> Subject:
    """The subject with memberships that are shuffled over models and points, so that nothing depends on them.

    Lists that models exchange would not do: where models leak much, the answers of the others at a point say how many
    of them were trained on it, and their false lists how many but for the target's, so that the difference tells the
    one bit that the target was given (`experiments.null_tests`).

    Args:
      subject: whose models were trained on other memberships.
      number: which of several shuffles.
    """
    generator = np.random.Generator(np.random.PCG64([subject.seed, 2, number]))
    shuffled = generator.permutation(subject.membership.reshape(-1)).reshape(subject.membership.shape)
    return dataclasses.replace(subject, membership=shuffled)


def permuted_membership(judge: Judge, both: np.ndarray) -> Control:
    """The control of that name. Args: judge: of a `permuted` subject. both: its scores in that view."""
    return within(
        "permuted_membership",
        "Does the full attack find members when memberships are shuffled over models and records?",
        judge.headline_tpr(judge.rates(both)),
        judge.chance(float(judge.headline)),
    )


def of_placebo(judge: Judge, prediction: np.ndarray, both: np.ndarray) -> Control:
    """The control "placebo". Args: judge: of the subject. both: with explanations shuffled between its models."""
    return within(
        "placebo",
        "Do explanations that were shuffled between the models add anything to the prediction?",
        _headline_margin(prediction, both, judge),
        0.0,
    )


def input_only(subject: Subject, judge: Judge) -> Control:
    """The control of that name. Args: as of `run`."""
    question = "Can members be told from the records alone, without any model? (AUC)"
    return within("input_only", question, judge.found(judge.rates(_input_only(subject))).auc, 0.5)


def inclusion_count(subject: Subject, judge: Judge) -> Control:
    """The control of that name. Args: as of `run`."""
    question = "Can members be told from how many other models hold a record? (AUC)"
    return within("inclusion_count", question, judge.found(judge.rates(_inclusion_count(subject))).auc, 0.5)


def _untrained(subject: Subject, judge: Judge, attack: Attack, untrained: Any, chance: float) -> Control:
    name, question = (
        "untrained",
        "Does the full attack find members of networks that were never trained?",
    )
    if untrained is None:
        return not_run(
            name, question, "the variables hold no weights that could be shuffled; pass untrained="
        )
    blank = dataclasses.replace(subject, variables=untrained, explained_by=None)
    return within(name, question, judge.headline_tpr(judge.rates(attack(blank).both[0])), chance)


def smallest_margin(subject: Subject, judge: Judge, predictions: Predictions) -> SmallestMargin:
    """Plants stronger and weaker explanation signals: the margin of the weakest whose interval lies above 0.

    Args:
      subject: what is audited.
      judge: of the subject.
      predictions: of the subject; what was planted has to show beside these.

    Returns:
      The `smallest_margin` of a report; its value is NaN if none of the planted signals showed.
    """
    weak, strong = _SHIFTS
    prediction = stacked.Answers(predictions.signal[..., None])
    value = float("nan")
    for _ in _progress.track(range(_HALVINGS)):
        shift = (weak * strong) ** 0.5
        signal = stacked.Answers(_plant(subject, shift)[..., None])
        scores, valid = stacked.attack(prediction, signal, subject.membership, targets=subject.targets)
        margin = _headline_margin(scores.prediction, scores.both, judge.narrowed(valid))
        if margin.low > 0:
            strong, value = shift, margin.value
        else:
            weak = shift
    return SmallestMargin(fpr=judge.headline, value=value)


def _dressed(subject: Subject, judge: Judge, dressed: Callable[[], Scores]) -> Control:
    name, question = "dressed", "Does the prediction, dressed as an explanation, add anything to itself?"
    if subject.releases[0] == "none":
        return not_run(name, question, "the first release shows no prediction; name another one first")
    return within(name, question, _headline_margin(*_first(dressed()), judge), 0.0)


def _first(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """The prediction alone and both views, under the first release."""
    return scores.prediction[0], scores.both[0]


def _headline_margin(prediction: np.ndarray, both: np.ndarray, judge: Judge) -> Estimate:
    margin = judge.added(judge.rates(both), judge.rates(prediction))
    return margin.tpr_at_fpr[judge.headline]


def _input_only(subject: Subject) -> np.ndarray:
    """Membership predicted from x by ridge regression on the shadows' memberships: [targets, points]."""
    x = subject.points.x.reshape(len(subject.points.x), -1).astype(np.float64)
    if x.shape[1] > _INPUT_FEATURES:
        x = x @ np.random.default_rng(0).normal(size=(x.shape[1], _INPUT_FEATURES))
    x = np.column_stack([(x - x.mean(axis=0)) / (x.std(axis=0) + 1e-12), np.ones(len(x))])
    ridge = x.T @ x + np.eye(x.shape[1])
    return (x @ np.linalg.solve(ridge, x.T @ _inclusion_count(subject).T)).T


def _inclusion_count(subject: Subject) -> np.ndarray:
    """How many models beside the target hold each point: [targets, points]."""
    membership = subject.membership.astype(np.float64)
    return membership.sum(axis=0)[None] - membership[subject.targets]


def _plant(subject: Subject, shift: float) -> np.ndarray:
    """Standard normal noise, shifted for members: [models, points]."""
    noise = np.random.Generator(np.random.PCG64([subject.seed, 1])).normal(size=subject.membership.shape)
    return (noise + shift * subject.membership).astype(np.float32)


def planted(subject: Subject, judge: Judge) -> list[Control]:
    """The positive controls: scores and signals of known strength. Args: as of `run`. Returns: its last rows."""
    signs = []
    for shift in (_POSITIVE_SHIFT, -_POSITIVE_SHIFT):
        signal = stacked.Answers(_plant(subject, shift)[..., None])
        scores, _ = stacked.attack(signal, signal, subject.membership, targets=subject.targets)
        signs.append(judge.found(judge.rates(scores.prediction)).auc)
    worst = min(signs, key=lambda auc: auc.low)
    return [
        planted_score(subject, judge),
        Control(
            name="score_sign",
            question="Do members score higher, whether a planted signal moves up or down for them? (AUC)",
            expected="above 0.5 for both",
            seen=worst,
            passed=worst.low > 0.5,
        ),
    ]


def planted_score(subject: Subject, judge: Judge) -> Control:
    """The control "planted", of a score of known strength. Args: as of `run`."""
    known = judge.headline_tpr(judge.rates(_plant(subject, _POSITIVE_SHIFT)[subject.targets]))
    return within(
        "planted",
        f"Is a score that members have {_POSITIVE_SHIFT:g} standard deviation higher found to leak as theory says?",
        known,
        leakage.planted_tpr(_POSITIVE_SHIFT, float(judge.headline), judge.nonmembers),
    )


def within(name: str, question: str, estimate: Estimate, expected: float) -> Control:
    """A row that passes where an estimate is as expected.

    Args:
      name: of the control.
      question: what it asks, for readers of the report.
      estimate: what was found.
      expected: what is right.

    Returns:
      A row of `controls`; an estimate without a value does not pass.
    """
    return Control(
        name=name,
        question=question,
        expected=f"{expected:.4g}, within {_TOLERANCE:g} standard errors",
        seen=estimate,
        passed=abs(estimate.value - expected) <= _TOLERANCE * estimate.error,
    )
