"""Further prediction queries near each point: what they find, and what explanations are worth in them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.auditing import Attacker
from leakjax.auditing.neighbours import ask, counts, near
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.score import baseline
from leakjax.auditing.subject import Subject
from tests.auditing.world import EXPLAINERS, MODELS, POINTS, gradient, is_member, logits_fn


def told_at_twice(variables, x):
    """Logits of the linear model, but where an input is scaled by 1.25: there they say who is a member."""
    point = x.at[-1].set(x[-1] / 1.25)
    scaled = jnp.abs(x[-1] / 1.25 - jnp.round(x[-1] / 1.25)) < 1e-3
    scaled &= jnp.abs(x[-1] - jnp.round(x[-1])) > 1e-3
    return (
        logits_fn(variables, x) + jnp.where(scaled, 20.0 * is_member(variables, point), 0.0) * jnp.eye(2)[0]
    )


@pytest.fixture(scope="module")
def subject(ensemble, points):
    of = (ensemble.variables, ensemble.ids, points, ensemble.membership, np.arange(MODELS), jax.random.key(0))
    return Subject(told_at_twice, *of, releases=("label", "vector"), neighbours=2)


def test_numbers_of_queries_double_up_to_the_most():
    assert counts(0) == []
    assert counts(1) == [1]
    assert counts(8) == [1, 2, 4, 8]
    assert counts(6) == [1, 2, 4, 6]


def test_fewer_neighbours_are_the_first_of_more_and_the_same_in_any_chunk(subject, points):
    many = dataclasses.replace(subject, neighbours=7)
    every = near(many, jnp.asarray(points.x), jnp.asarray(points.ids))
    assert every.shape == (POINTS, 7, points.x.shape[1])
    np.testing.assert_allclose(every[:, 1], 1.25 * points.x, rtol=1e-6)
    few = near(many, jnp.asarray(points.x[5:9]), jnp.asarray(points.ids[5:9]))
    np.testing.assert_array_equal(few, every[5:9])
    steps = np.asarray(every[:, 4:] - points.x[:, None]).ravel()
    assert steps.std() == pytest.approx(0.1, rel=0.1)


@pytest.fixture(scope="module")
def asked(subject):
    predictions = stream_predictions(predict_program(subject), subject)
    return ask(subject, baseline(subject, predictions, subject.releases))


def auc(scores, membership):
    return np.mean(
        [(own[m][:, None] > own[~m][None]).mean() for own, m in zip(scores, membership, strict=True)]
    )


@pytest.mark.slow
def test_what_one_neighbour_says_is_found_once_it_is_asked(subject, asked):
    assert set(asked.scores) == {1, 2}
    member = subject.membership
    # The first neighbour is 0.8 x, the second 1.25 x, where the model tells.
    assert auc(asked.scores[1][1], member) < 0.8
    assert auc(asked.scores[2][1], member) > 0.85


@pytest.mark.slow
def test_who_is_a_member_changes_none_of_its_own_scores(subject, asked):
    flipped = subject.membership.copy()
    flipped[3] = ~flipped[3]
    other = dataclasses.replace(subject, membership=flipped)
    predictions = stream_predictions(predict_program(other), other)
    after = ask(other, baseline(other, predictions, other.releases))
    for count, scores in asked.scores.items():
        np.testing.assert_array_equal(after.scores[count][:, 3], scores[:, 3])


@pytest.mark.slow
def test_the_report_says_what_explanations_are_worth_in_queries(run):
    explainers = {"leaky": EXPLAINERS["leaky"], "gradient": gradient}
    given = {"explainers": explainers, "defenses": ("none",), "attacks": ["stacked", "augmentation"]}
    report = run(**given, attacker=Attacker(neighbours=3))
    assert {row.queries for row in report.neighbours} == {1, 2, 3}
    assert {row.release for row in report.neighbours} == {"label", "confidence(1)", "vector"}
    worth = {(row.explainer, row.release): row for row in report.worth}
    # No query of a linear model finds what an explanation says outright, and it still says so beside them all.
    leaky = worth["leaky", "vector"]
    assert (leaky.queries, leaky.tried) == (None, 3)
    assert leaky.beside.tpr_at_fpr["0.01"].low > 0.5
    # The gradient of a linear model without secrets adds little.
    assert abs(worth["gradient", "vector"].beside.auc.value) < 0.05
    assert any(row.attack == "augmentation" for row in report.leakage)
    plain = run(**{**given, "attacks": ["stacked"]})
    assert (list(plain.neighbours), list(plain.worth)) == ([], [])
    ours = [row for row in report.leakage if row.attack == "stacked"]
    assert [row.auc for row in ours] == [row.auc for row in plain.leakage]


def test_numbers_of_queries_that_mean_nothing_are_refused():
    for given, words in (
        ({"neighbours": -1}, "neighbours=-1.*at least 0"),
        ({"neighbours": 2.5}, "neighbours=2.5.*whole number"),
        ({"neighbour_step": 0.0}, "neighbour_step=0.0"),
    ):
        with pytest.raises(UsageError, match=words):
            Attacker(**given)
