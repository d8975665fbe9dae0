"""Lower bounds on epsilon beside closed forms, mechanisms whose epsilon is known, and another library."""

import math

import numpy as np
import pytest
from scipy import stats

from leakjax._validate import UsageError
from leakjax.evaluate import epsilon


def test_without_an_error_the_bound_is_a_closed_form():
    """No error among n: the upper end is 1 - tail^(1/n)."""
    worst = 1 - 0.025 ** (1 / 200)
    found = epsilon.from_errors(0, 200, 0, 200, delta=0.0, confidence=0.95)
    assert found == pytest.approx(math.log((1 - worst) / worst), rel=1e-9)
    with_delta = epsilon.from_errors(0, 200, 0, 200, delta=0.1, confidence=0.95)
    assert with_delta == pytest.approx(math.log((0.9 - worst) / worst), rel=1e-9)


def test_guessing_shows_nothing():
    assert epsilon.from_errors(50, 100, 50, 100, delta=0.0, confidence=0.95) == 0
    assert epsilon.one_run(50, 100, 100) == 0
    assert epsilon.one_run(0, 0, 100) == 0


@pytest.mark.parametrize(("correct", "guesses"), [(90, 100), (180, 200), (400, 400)])
def test_one_run_without_delta_is_the_lower_bound_of_a_binomial_rate(correct, guesses):
    """P[Binomial(r, q) >= v] = 1 - confidence at the one-sided Clopper-Pearson bound of q, and epsilon = log odds."""
    lower = stats.beta.ppf(0.05, correct, guesses - correct + 1)
    assert epsilon.one_run(correct, guesses, 1000) == pytest.approx(math.log(lower / (1 - lower)), abs=1e-6)


def test_one_run_with_delta_is_the_loop_of_the_papers_appendix():
    def chance(eps, m, r, v, delta):
        q = 1 / (1 + math.exp(-eps))
        alpha = max(sum(stats.binom.pmf(v - j, r, q) for j in range(1, i + 1)) / i for i in range(1, v + 1))
        return stats.binom.sf(v - 1, r, q) + alpha * delta * 2 * m

    found = epsilon.one_run(95, 100, 1000, delta=1e-5)
    assert chance(found, 1000, 100, 95, 1e-5) == pytest.approx(0.05, abs=1e-6)
    assert found < epsilon.one_run(95, 100, 1000)


def test_randomised_response_is_bounded_by_its_own_epsilon_and_not_much_below():
    true = 2.0
    keep = math.exp(true) / (1 + math.exp(true))
    generator = np.random.default_rng(0)
    many, one = [], []
    for _ in range(200):
        membership = generator.random((1000, 1)) < 0.5
        scores = np.where(generator.random(membership.shape) < keep, membership, ~membership).astype(float)
        every = np.ones_like(membership)
        many.append(epsilon.over_models(scores, membership, every).epsilon)
        one.append(epsilon.of_points(scores[:, 0], membership[:, 0], every[:, 0], 400).epsilon)
    for found in (many, one):
        # Valid in 95 of 100: among 200 draws 10 misses are expected, 20 are three standard deviations above.
        assert np.sum(np.array(found) > true) <= 20
        assert np.median(found) > 0.75 * true


def test_thresholds_that_are_chosen_on_the_same_models_would_be_wrong_and_are_not():
    """Of 500 points without leakage the worst looks leaky; on the other half of the models it does not."""
    generator = np.random.default_rng(1)
    false = 0
    for _ in range(60):
        membership = generator.random((64, 500)) < 0.5
        scores = generator.normal(size=membership.shape)
        false += epsilon.over_models(scores, membership, np.ones_like(membership)).epsilon > 0
    assert false <= 8  # 3 expected of 60 at most


def test_gaussian_scores_stay_below_the_epsilon_of_the_gaussian_mechanism():
    """Scores N(1, 1) against N(0, 1): at delta = 0.05 epsilon solves the analytic formula of Balle & Wang (2018)."""

    def delta_of(eps):
        return stats.norm.cdf(0.5 - eps) - math.exp(eps) * stats.norm.cdf(-0.5 - eps)

    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle) > 0.05 else (low, middle)
    generator = np.random.default_rng(2)
    membership = generator.random((20000, 1)) < 0.5
    scores = generator.normal(size=membership.shape) + membership
    found = epsilon.over_models(scores, membership, np.ones_like(membership), delta=0.05)
    assert 0.5 * low < found.epsilon < low
    assert found.guesses == 10000


def test_what_is_not_valid_does_not_count():
    membership = np.tile([[True], [True], [False], [False]], (50, 1))
    scores = membership.astype(float)
    valid = np.ones_like(membership)
    scores[1], valid[1] = np.nan, False
    assert epsilon.over_models(scores, membership, valid).guesses == 99


def test_jax_privacy_agrees_on_clopper_pearson():
    auditing = pytest.importorskip("jax_privacy.auditing")
    inside, outside = np.ones(300), np.zeros(300)
    inside[:30], outside[:15] = 0, 1
    mine = epsilon.from_errors(15, 300, 30, 300, delta=1e-3, confidence=0.95)
    auditor = auditing.CanaryScoreAuditor(inside, outside)
    theirs = auditor.epsilon_clopper_pearson(
        significance=0.05, delta=1e-3, one_sided=False, threshold_strategy=auditing.Explicit(0.5)
    )
    assert mine == pytest.approx(theirs, rel=1e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(UsageError, match="confidence"):
        epsilon.one_run(1, 2, 3, confidence=1.0)
    with pytest.raises(UsageError, match="delta"):
        epsilon.from_errors(0, 1, 0, 1, delta=1.0, confidence=0.9)
    with pytest.raises(UsageError, match="guesses"):
        epsilon.one_run(3, 2, 3)
