"""From what was streamed to scores: the stacked attack on every release."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from leakjax.attack import stacked
from leakjax.attack.roles import enough
from leakjax.attack.stacked import Features, Group, Labels, View
from leakjax.auditing.explanations import Explanations
from leakjax.auditing.predictions import Predictions
from leakjax.auditing.subject import Subject


class Baseline(NamedTuple):
    """The attack on predictions alone, on which every explanation stands.

    Attributes:
      there: bool [models, points], where a model predicted at all.
      labels: what the weights are learned from.
      features: by release; none where there are too few models to learn weights from.
      log_odds: by release.
    """

    there: np.ndarray
    labels: list[Labels]
    features: Mapping[str, list[Features]]
    log_odds: Mapping[str, list[Group]]

    def under(self, release: str) -> "Baseline":
        """The attack under one of its releases alone."""
        if release not in self.features:  # too few models
            return self
        only = {release: self.features[release]}, {release: self.log_odds[release]}
        return Baseline(self.there, self.labels, *only)


class Scores(NamedTuple):
    """Scores of the stacked attack, higher = member.

    Attributes:
      prediction: [releases, targets, points].
      explanation: [targets, points]; a map alone says the same beside every release. No targets where not asked for.
      both: [releases, targets, points]; no release of either where there are too few models.
      valid: bool [targets, points]: enough shadows stood behind the scores, and the target answered.
    """

    prediction: np.ndarray
    explanation: np.ndarray
    both: np.ndarray
    valid: np.ndarray


def baseline(subject: Subject, predictions: Predictions, releases: Sequence[str]) -> Baseline:
    """Attacks the predictions alone.

    Args:
      subject: what is attacked.
      predictions: of all models.
      releases: names, of those of the subject.

    Returns:
      `Baseline`.
    """
    there = np.isfinite(predictions.signal)
    if not subject.stackable:
        return Baseline(there, [], {}, {})
    labels = stacked.labels(subject.membership, subject.roles, there)
    features = {
        name: stacked.grouped(
            predictions.view(name, subject.points.classes), subject.membership, subject.roles
        )
        for name in releases
    }
    log_odds = {name: stacked.learn_alone(groups, labels) for name, groups in features.items()}
    return Baseline(there, labels, features, log_odds)


def score(subject: Subject, base: Baseline, explanations: Explanations, *, alone: bool = True) -> Scores:
    """Attacks explanations beside the prediction of every release.

    Args:
      subject: what is attacked.
      base: of the same subject.
      explanations: of one explainer under one defense.
      alone: whether explanations are attacked without any prediction, too.

    Returns:
      `Scores`, whose releases are those of the baseline.
    """
    roles, membership = subject.roles, subject.membership
    there = base.there & explanations.finite
    if not subject.stackable:
        valid = enough(membership, roles.known[: roles.targets], 1) & there[subject.targets]
        return Scores(np.zeros((0, *valid.shape)), np.zeros(valid.shape), np.zeros((0, *valid.shape)), valid)
    labels = base.labels if there.all() else stacked.labels(membership, roles, there)
    of_map, of_both = (
        stacked.grouped(View(one, ()), membership, roles)
        for one in (explanations.reduced, explanations.together)
    )
    both = []
    for name, log_odds in base.log_odds.items():
        # What map and label say together is seen where a label is.
        more = (of_map,) if name == "none" else (of_map, of_both)
        features = stacked.beside(base.features[name], *more)
        both.append(stacked.scores_of(stacked.learn(features, labels, log_odds)))
    return Scores(
        np.stack([stacked.scores_of(log_odds) for log_odds in base.log_odds.values()]),
        stacked.scores_of(stacked.learn(of_map, labels)) if alone else np.zeros((0, there.shape[1])),
        np.stack(both),
        enough(membership, roles.known[: roles.targets]) & there[subject.targets],
    )
