"""Rows of the report that look closer at the headline attack: fixed thresholds, parts of the points, epsilon."""

from collections.abc import Iterator

import numpy as np

from leakjax.auditing.judge import Judge
from leakjax.auditing.rows import STACKED, Results, attacked
from leakjax.evaluate import epsilon as bounds
from leakjax.evaluate.document import Attacked, EpsilonRow, Estimate, OperatingRow, PartRow
from leakjax.evaluate.operating import operating as operate
from leakjax.evaluate.parts import by_part, correctness, fifths
from leakjax.evaluate.roc import OverTargets, over_targets

_NORMAL = 1.96  # of the normal distribution, 95 % lie within so many standard deviations
# Points that are guessed about by the one-run bound: few, for it counts how many guesses are right.
_GUESSED = 0.02
_LEAST_GUESSES = 20

# What an attack saw, its scores [targets, points], and who judges them.
_Seen = tuple[Attacked, np.ndarray, Judge]


def operating(results: Results) -> list[OperatingRow]:
    """The stacked attack under every release with thresholds that each target's shadows have set."""
    return [
        OperatingRow(
            **vars(about),
            aimed=judge.headline,
            fpr=_estimate(found.fpr),
            tpr=_estimate(found.tpr),
            precision={f"{prior:g}": _estimate(one) for prior, one in found.precision.items()},  # type: ignore[misc]
        )
        for at in range(_releases(results))
        for about, scores, judge in _scores(results, at)
        for found in [operate(scores, judge.membership, judge.valid, float(judge.headline))]
    ]


def parts(results: Results) -> list[PartRow]:
    """Whom the stacked attack finds under the leading release."""
    subject, predictions, *_ = next(iter(results.values())).sitting
    right = np.asarray(predictions.correct)[subject.targets]
    columns = {
        "class": subject.points.y,
        "correctness": correctness(right.astype(int), np.ones(len(subject.points.y), int)),
    }
    if subject.label_known:
        columns["loss"] = fifths(-np.asarray(predictions.signal)[subject.targets])
    rows = []
    for about, scores, judge in _scores(results, 0) if _releases(results) else ():
        if scores.shape[1] != len(subject.points.x):  # of the sitting of costly explainers
            continue
        for by, levels in columns.items():
            rows += [
                PartRow(
                    **vars(about),
                    by=by,  # type: ignore[arg-type]
                    level=part.level,
                    share=part.share,
                    tpr=_estimate(part.tpr),
                    fpr=_estimate(part.fpr),
                )
                for part in by_part(scores, judge.membership, judge.valid, levels, float(judge.headline))
            ]
    return rows


def epsilon(results: Results, delta: float) -> list[EpsilonRow]:
    """What the stacked attack shows about differential privacy under the leading release.

    Args:
      results: by explainer and defense.
      delta: of differential privacy.
    """
    rows = []
    for about, scores, judge in _scores(results, 0) if _releases(results) else ():
        over = bounds.over_models(scores, judge.membership, judge.valid, delta=delta)
        guesses = max(_LEAST_GUESSES, int(_GUESSED * scores.shape[1]))
        each = [
            bounds.of_points(*one, guesses, delta=delta).epsilon
            for one in zip(scores, judge.membership, judge.valid, strict=True)
        ]
        rows.append(
            EpsilonRow(
                **vars(about),
                delta=delta,
                over_models=over.epsilon,
                models=over.guesses,
                over_points=_estimate(over_targets(np.asarray(each))),
                guesses=guesses,
            )
        )
    return rows


def _releases(results: Results) -> int:
    """How many releases the stacked attack was run beside; none where there are too few models."""
    return len(next(iter(results.values())).found.prediction)


def _scores(results: Results, at: int) -> Iterator[_Seen]:
    """The stacked attack beside one release: on the prediction alone, then with every explanation."""
    (subject, _, _, judge, _), first, _ = next(iter(results.values()))
    release = subject.releases[at]
    yield attacked("prediction", STACKED, subject, release), first.prediction[at], judge
    for sitting, found, explanation in results.values():
        about = attacked("both", STACKED, subject, release, explanation)
        yield about, found.both[at], sitting.judge.narrowed(found.valid)


def _estimate(found: OverTargets) -> Estimate:
    wide = _NORMAL * found.error
    return Estimate(found.mean, found.mean - wide, found.mean + wide, found.error)
