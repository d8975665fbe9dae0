"""The rows of a report, from what each explainer and defense was found to leak."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax.attack import THRESHOLDS, combine
from leakjax.audit.explainers import family
from leakjax.audit.judge import Judge
from leakjax.audit.stream import MEASURES, Explanations, Predictions
from leakjax.audit.subject import Subject
from leakjax.evaluate import bootstrap

_EXPOSED = 20


class Found(NamedTuple):
    """What one explainer leaks under one defense, as arrays that can be kept.

    Attributes:
      prediction: [targets, points], scores of the likelihood-ratio attack on the prediction.
      explanation: on the explanation.
      both: on both.
      log_l1: [targets, points], log of the released attribution's L1 norm.
      change: [points, measures], see `stream.Explanations`.
      non_finite: how many attributions were not finite.
      examples: [examples, ...], released maps.
    """

    prediction: np.ndarray
    explanation: np.ndarray
    both: np.ndarray
    log_l1: np.ndarray
    change: np.ndarray
    non_finite: np.ndarray
    examples: np.ndarray

    @classmethod
    def of(cls, scores: combine.Scores, streamed: Explanations) -> "Found":
        """What was scored and what was streamed, together."""
        return cls(
            scores.prediction,
            scores.explanation,
            scores.both,
            streamed.log_l1,
            streamed.change,
            np.asarray(streamed.non_finite),
            streamed.examples,
        )


Subjects = Mapping[tuple[str, str], Found]  # by explainer and defense


def leakage(
    judge: Judge, predictions: Predictions, found: Subjects, attacks: Sequence[str], label_known: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The leakage rows and their curves: predictions first, then each explainer and defense.

    Args:
      judge: of the audited subject.
      predictions: of the audited subject.
      found: by explainer and defense.
      attacks: which to report; thresholds that need the label are left out where it is not known.
      label_known: whether the attacker knows the true class.
    """
    results = []

    def add(
        scores: np.ndarray, explainer: str, defense: str, view: str, attack: str, over: Any = None
    ) -> None:
        about = {
            "explainer": explainer,
            "family": "none" if explainer == "none" else family(explainer),
            "defense": defense,
            "view": view,
            "attack": attack,
            "label_known": label_known,
        }
        results.append(judge.row(scores, about, over))

    prediction_scores = next(iter(found.values())).prediction
    over = judge.rates(prediction_scores)
    if "lira" in attacks:
        add(prediction_scores, "none", "none", "prediction", "lira")
    for name in attacks:
        threshold = THRESHOLDS.get(name)
        if threshold and threshold.view == "prediction" and (label_known or not threshold.needs_label):
            add(threshold.score(getattr(predictions, threshold.signal)), "none", "none", "prediction", name)
    for (explainer, defense), one in found.items():
        if "lira" in attacks:
            add(one.both, explainer, defense, "both", "lira", over)
            add(one.explanation, explainer, defense, "explanation", "lira")
        for name in attacks:
            threshold = THRESHOLDS.get(name)
            if threshold and threshold.view == "explanation":
                add(threshold.score(getattr(one, threshold.signal)), explainer, defense, "explanation", name)
    return [row for row, _ in results], [curve for _, curve in results]


def worst(leakage_rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The explainer and defense of the largest headline margin; None without a row of both views."""
    rows = [row for row in leakage_rows if row["margin"] is not None]
    if not rows:
        return None
    row = max(rows, key=lambda row: row["margin"]["tpr_at_fpr"][row["headline_fpr"]]["value"])
    return row["explainer"], row["defense"]


def task(
    subject: Subject, predictions: Predictions, found: Subjects, judge: Judge, diverged: np.ndarray
) -> dict[str, Any]:
    """What was attacked: sizes, accuracies with intervals over points, what was dropped."""
    correct, member = predictions.correct, subject.member
    weights = judge.resamples.points

    def accuracy(part: np.ndarray) -> np.ndarray:
        return np.mean(((correct & part) @ weights) / (part @ weights), axis=0)

    train, test = accuracy(member), accuracy(~member)
    return {
        "dataset": subject.points.name,
        "points": len(subject.points.x),
        "duplicates_removed": subject.points.duplicates,
        "classes": subject.points.classes,
        "models": subject.models + len(diverged),
        "diverged": [int(i) for i in diverged],
        "train_accuracy": bootstrap.interval(train).as_json(),
        "test_accuracy": bootstrap.interval(test).as_json(),
        "generalisation_gap": bootstrap.interval(train - test).as_json(),
        "audited_points": len(subject.points.x),
        "dropped_points": int((~judge.valid).any(axis=0).sum()),
        "non_finite_attributions": int(sum(int(one.non_finite) for one in found.values())),
    }


def utility(judge: Judge, found: Subjects) -> list[dict[str, Any]]:
    """What each defense changes, mean over points with intervals."""
    weights = judge.resamples.points
    rows = []
    for (explainer, defense), one in found.items():
        row: dict[str, Any] = {"explainer": explainer, "defense": defense}
        for i, name in enumerate(MEASURES):
            values = one.change[:, i]
            measured = np.isfinite(values)
            figure = (np.where(measured, values, 0.0) @ weights) / (measured @ weights)
            row[name] = bootstrap.interval(figure).as_json()
        rows.append(row)
    return rows


def exposed(
    judge: Judge, found: Subjects, shown: tuple[str, str] | None, ids: np.ndarray
) -> list[dict[str, Any]]:
    """The records caught most often where the margin is largest."""
    if shown is None:
        return []
    about = dict(zip(("explainer", "defense"), shown, strict=True))
    return [{**row, **about} for row in judge.exposed(found[shown].both, ids, _EXPOSED)]


def groups(judge: Judge, found: Subjects, group: str, levels: np.ndarray) -> list[dict[str, Any]]:
    """Leakage by the levels of a group column: from predictions, and from both for each explainer and defense."""
    prediction = next(iter(found.values())).prediction
    views = [(("none", "none"), "prediction", prediction)]
    views += [(about, "both", one.both) for about, one in found.items()]
    return [
        {**row, "explainer": explainer, "defense": defense, "view": view, "attack": "lira"}
        for (explainer, defense), view, scores in views
        for row in judge.groups(scores, group, levels)
    ]


def examples(subject: Subject, found: Subjects, rows: np.ndarray) -> list[dict[str, Any]]:
    """Inputs with their maps under every explainer and defense, as the first target explains them."""
    results = []
    for i, row in enumerate(rows):
        maps: dict[str, dict[str, np.ndarray]] = {}
        for (explainer, defense), one in found.items():
            maps.setdefault(explainer, {})[defense] = one.examples[i]
        results.append(
            {
                "id": int(subject.points.ids[row]),
                "input": subject.points.x[row],
                "label": int(subject.points.y[row]),
                "maps": maps,
            }
        )
    return results
