"""Weights against scikit-learn and a literal minimiser; scores on ratios whose worth is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from sklearn.linear_model import LogisticRegression

from leakjax.attack import combine
from leakjax.attack.ratios import Ratios

SAMPLES, POINTS, TARGETS = 3000, 2000, 4


def regression(seed=0):
    rng = np.random.default_rng(seed)
    membership = rng.random(600) < 0.5
    scales = np.array([1.0, 30.0, 0.01])
    ratios = scales[:, None] * (rng.normal(size=(3, 600)) + np.array([0.8, 0.3, 0.0])[:, None] * membership)
    return ratios, membership


def scaled(ratios):
    """What the ridge acts on: every signal divided by its root mean square."""
    return ratios / np.sqrt((ratios**2).mean(axis=1, keepdims=True))


@pytest.mark.usefixtures("x64")
def test_weights_equal_scikit_learns_ridge_logistic_regression():
    ratios, membership = regression()
    found = combine.logistic_weights(jnp.asarray(ratios), jnp.asarray(membership), jnp.ones(600, bool))
    model = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=1000)
    expected = model.fit(scaled(ratios).T, membership).coef_[0]
    np.testing.assert_allclose(found @ ratios, expected @ scaled(ratios), atol=1e-5)


@pytest.mark.usefixtures("x64")
def test_weights_beside_a_known_part_equal_a_direct_minimum():
    ratios, membership = regression(1)
    offset = np.random.default_rng(2).normal(size=600) + 1.5 * (membership - 0.5)
    found = combine.logistic_weights(
        jnp.asarray(ratios), jnp.asarray(membership), jnp.ones(600, bool), jnp.asarray(offset)
    )
    features = scaled(ratios)

    def loss(weights):
        odds = weights @ features + offset
        return np.logaddexp(0, odds).sum() - odds[membership].sum() + weights @ weights / 2

    expected = optimize.minimize(loss, np.zeros(3), tol=1e-12).x
    np.testing.assert_allclose(found @ ratios, expected @ features, atol=1e-4)


@pytest.mark.usefixtures("x64")
def test_samples_that_are_not_valid_weigh_nothing():
    ratios, membership = regression()
    valid = np.arange(600) < 400
    alone = combine.logistic_weights(
        jnp.asarray(ratios[:, :400]), jnp.asarray(membership[:400]), jnp.ones(400, bool)
    )
    rng = np.random.default_rng(3)
    spoilt = np.where(valid, ratios, 100 * rng.normal(size=ratios.shape))
    found = combine.logistic_weights(
        jnp.asarray(spoilt), jnp.asarray(np.where(valid, membership, ~membership)), jnp.asarray(valid)
    )
    np.testing.assert_allclose(found, alone, rtol=1e-9)


def planted(strength, seed=0):
    """A prediction that says a little, an explanation of some strength that is independent of it."""
    rng = np.random.default_rng(seed)
    inside = rng.random((TARGETS, SAMPLES)) < 0.5
    truth = rng.random((TARGETS, POINTS)) < 0.5

    def signal(shift):
        parts = [rng.normal(size=m.shape) + shift * (m - 0.5) for m in (truth, inside)]
        at_target, at_calibrator = (jnp.asarray(part[:, None], jnp.float32) for part in parts)
        return combine.Roles(at_target, at_calibrator[..., None])

    prediction, explanation = signal(1.0), signal(strength)
    labels = combine.Labels(jnp.asarray(inside)[..., None], jnp.ones((TARGETS, SAMPLES, 1), bool))
    found = combine.scores(prediction, Ratios(explanation, explanation), labels)
    return found, truth, prediction, explanation


def test_an_explanation_that_says_nothing_gets_no_weight_and_adds_nothing():
    found, truth, prediction, _ = planted(0.0)
    assert np.all(found.weight >= 0)
    # A ratio fitted to noise says next to nothing, whatever it is multiplied by.
    np.testing.assert_allclose(found.both, found.prediction, atol=0.2)
    for target in range(TARGETS):
        assert (
            abs(auc(found.both[target], truth[target]) - auc(found.prediction[target], truth[target])) < 0.01
        )
        assert np.corrcoef(found.prediction[target], prediction.target[target, 0])[0, 1] > 0.9999


def test_an_explanation_that_is_independent_of_the_prediction_counts_in_full():
    found, truth, prediction, explanation = planted(1.5)
    assert np.all(found.weight <= 1)
    assert np.all(found.weight > 0.8)
    best = prediction.target[:, 0] + 1.5 * explanation.target[:, 0]  # the log-likelihood ratio of both
    for target in range(TARGETS):
        assert auc(found.both[target], truth[target]) > auc(best[target], truth[target]) - 0.005
        assert np.corrcoef(found.explanation[target], explanation.target[target, 0])[0, 1] > 0.9999


def test_an_explanation_that_points_the_wrong_way_is_turned_round():
    found, truth, _, _ = planted(-1.5)
    for target in range(TARGETS):
        assert auc(found.explanation[target], truth[target]) > 0.8


def test_the_weight_of_a_ratio_that_misleads_is_zero():
    """What half of the calibration samples teach is false of the other half: it is not trusted."""
    rng = np.random.default_rng(5)
    membership = rng.random((1, SAMPLES)) < 0.5
    turned = np.where(np.arange(SAMPLES) % 2 == 0, 1, -1) * (membership - 0.5)
    misleading = combine.Roles(
        jnp.asarray(rng.normal(size=(1, 1, POINTS)), jnp.float32),
        jnp.asarray((rng.normal(size=(1, SAMPLES)) + 2 * turned)[:, None, :, None], jnp.float32),
    )
    noise = jnp.asarray(rng.normal(size=(1, 1, SAMPLES, 1)), jnp.float32)
    known = combine.Roles(misleading.target, noise)
    labels = combine.Labels(jnp.asarray(membership)[..., None], jnp.ones((1, SAMPLES, 1), bool))
    found = combine.scores(known, Ratios(misleading, misleading), labels)
    assert found.weight == pytest.approx(0)
    np.testing.assert_array_equal(found.both, found.prediction)


def auc(scores, membership):
    scores = np.asarray(scores)
    return (scores[membership][:, None] > scores[~membership][None]).mean()
