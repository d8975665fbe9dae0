"""The rows of a report, from what each explainer and defense was found to leak."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax.attack import THRESHOLDS, combine
from leakjax.auditing.explainers import family
from leakjax.auditing.explanations import MEASURES, Explanations
from leakjax.auditing.judge import Judge
from leakjax.auditing.predictions import Predictions
from leakjax.auditing.subject import Subject
from leakjax.data import Points
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
            streamed.non_finite.sum(),
            streamed.examples,
        )


class Sitting(NamedTuple):
    """Points that are audited together: what is audited, its predictions, and who judges scores about it."""

    subject: Subject
    predictions: Predictions
    judge: Judge


class Result(NamedTuple):
    """What was found in a sitting."""

    sitting: Sitting
    found: Found


Results = Mapping[tuple[str, str], Result]  # by explainer and defense


def leakage(results: Results, attacks: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The leakage rows and their curves: predictions first, then each explainer and defense.

    Args:
      results: by explainer and defense; the predictions are those of the first one's sitting.
      attacks: which to report; thresholds that need the label are left out where it is not known.
    """
    rows = []

    def add(
        sitting: Sitting, scores: np.ndarray, about: tuple[str, str], view: str, attack: str, over: Any = None
    ) -> None:
        explainer, defense = about
        row = {
            "explainer": explainer,
            "family": "none" if explainer == "none" else family(explainer),
            "defense": defense,
            "view": view,
            "attack": attack,
            "label_known": sitting.subject.label_known,
        }
        rows.append(sitting.judge.row(scores, row, over))

    thresholds = {name: THRESHOLDS[name] for name in attacks if name in THRESHOLDS}
    first = next(iter(results.values()))
    if "lira" in attacks:
        add(first.sitting, first.found.prediction, ("none", "none"), "prediction", "lira")
    for name, threshold in thresholds.items():
        if threshold.view == "prediction" and (
            first.sitting.subject.label_known or not threshold.needs_label
        ):
            signal = getattr(first.sitting.predictions, threshold.signal)
            add(first.sitting, threshold.score(signal), ("none", "none"), "prediction", name)
    over: dict[int, Any] = {}  # of each sitting
    for about, (sitting, found) in results.items():
        if "lira" in attacks:
            if id(sitting) not in over:
                over[id(sitting)] = sitting.judge.rates(found.prediction)
            add(sitting, found.both, about, "both", "lira", over[id(sitting)])
            add(sitting, found.explanation, about, "explanation", "lira")
        for name, threshold in thresholds.items():
            if threshold.view == "explanation":
                scores = threshold.score(getattr(found, threshold.signal))
                add(sitting, scores, about, "explanation", name)
    return [row for row, _ in rows], [curve for _, curve in rows]


def worst(leakage_rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The explainer and defense of the largest headline margin; None without a row of both views."""
    rows = [row for row in leakage_rows if row["margin"] is not None]
    if not rows:
        return None
    row = max(rows, key=lambda row: row["margin"]["tpr_at_fpr"][row["headline_fpr"]]["value"])
    return row["explainer"], row["defense"]


def task(sitting: Sitting, results: Results, diverged: np.ndarray) -> dict[str, Any]:
    """What was attacked: sizes, accuracies with intervals over points, what was dropped."""
    subject, predictions, judge = sitting
    correct, membership = predictions.correct, subject.membership
    weights = judge.resamples.points

    def accuracy(part: np.ndarray) -> np.ndarray:
        return np.mean(((correct & part) @ weights) / (part @ weights), axis=0)

    train, test = accuracy(membership), accuracy(~membership)
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
        "non_finite_attributions": sum(int(found.non_finite) for _, found in results.values()),
    }


def utility(results: Results) -> list[dict[str, Any]]:
    """What each defense changes, mean over points with intervals."""
    rows = []
    for (explainer, defense), (sitting, found) in results.items():
        weights = sitting.judge.resamples.points
        row: dict[str, Any] = {"explainer": explainer, "defense": defense}
        for i, name in enumerate(MEASURES):
            values = found.change[:, i]
            measured = np.isfinite(values)
            figure = (np.where(measured, values, 0.0) @ weights) / (measured @ weights)
            row[name] = bootstrap.interval(figure).as_json()
        rows.append(row)
    return rows


def exposed(results: Results, shown: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The records caught most often where the margin is largest."""
    if shown is None:
        return []
    about = dict(zip(("explainer", "defense"), shown, strict=True))
    (subject, _, judge), found = results[shown]
    return [{**row, **about} for row in judge.exposed(found.both, subject.points.ids, _EXPOSED)]


def groups(results: Results, group: str | None) -> list[dict[str, Any]]:
    """Leakage by the levels of a group column: from predictions, and from both for each explainer and defense."""
    if group is None:
        return []
    first = next(iter(results.values()))
    views = [(("none", "none"), "prediction", first.sitting, first.found.prediction)]
    views += [(about, "both", one.sitting, one.found.both) for about, one in results.items()]
    return [
        {**row, "explainer": explainer, "defense": defense, "view": view, "attack": "lira"}
        for (explainer, defense), view, (subject, _, judge), scores in views
        for row in judge.groups(scores, group, subject.points.groups[group])
    ]


def examples(points: Points, results: Results, ids: np.ndarray) -> list[dict[str, Any]]:
    """Inputs with their maps under every explainer and defense, as the first target explains them."""
    rows = []
    for i, row in enumerate(np.flatnonzero(np.isin(points.ids, ids))):
        maps: dict[str, dict[str, np.ndarray]] = {}
        for (explainer, defense), (_, found) in results.items():
            maps.setdefault(explainer, {})[defense] = found.examples[i]
        rows.append(
            {
                "id": int(points.ids[row]),
                "input": points.x[row],
                "label": int(points.y[row]),
                "maps": maps,
            }
        )
    return rows
