"""The estimate of what an audit keeps, beside what its arrays really hold."""

import dataclasses

import jax
import numpy as np
import pytest

from leakjax.auditing import kept
from leakjax.auditing.explanations import defend_program, explain_program, stream_explanations
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.score import baseline
from leakjax.auditing.subject import Subject
from leakjax.defend import identity
from tests.auditing.world import CLASSES, MODELS, POINTS, gradient, logits_fn

RELEASES = ("label", "confidence(1)", "top(1)", "vector")


@pytest.fixture(scope="module")
def subject(ensemble, points):
    targets, key = np.arange(5), jax.random.key(0)
    of = (logits_fn, ensemble.variables, ensemble.ids, points, ensemble.membership, targets, key)
    return Subject(*of, releases=RELEASES)


def held(tree):
    return sum(np.size(leaf) for leaf in jax.tree.leaves(tree))


def test_pairs_are_those_of_the_attack(subject):
    assert kept.pairs(MODELS, 5) == len(subject.roles.scored)
    everyone = dataclasses.replace(subject, targets=np.arange(MODELS))
    assert kept.pairs(MODELS, MODELS) == len(everyone.roles.scored)


def test_what_predictions_and_explanations_leave_is_as_much_as_is_said(subject):
    predictions = stream_predictions(predict_program(subject), subject)
    base, pairs = baseline(subject, predictions, RELEASES), len(subject.roles.scored)
    for release in RELEASES:
        reduced, features = kept.of_prediction(release, CLASSES)
        # Two numbers of each signal are of the point alone, and few beside those of the pairs.
        assert held(predictions.reduced[release]) / (POINTS * pairs) == pytest.approx(reduced, rel=0.02)
        found = held([group.targets for group in base.features[release]])
        assert found == features * POINTS * len(subject.targets)
    for one in (subject, dataclasses.replace(subject, explained_class="asked")):
        programs = explain_program(one, gradient), [defend_program(one, identity())]
        (found,) = stream_explanations(*programs, one, predictions, np.zeros(0, int))
        reduced, _ = kept.of_explanation(one.maps, CLASSES)
        assert held((found.reduced, found.together)) / (POINTS * pairs) == pytest.approx(reduced, rel=0.02)


def test_digits_take_some_hundred_numbers_of_each_point_and_model():
    found = kept.numbers(64, 64, ("label", "confidence(1)", "vector"), 10, 2) / 64
    assert 900 < found < 2500
