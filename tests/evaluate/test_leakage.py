"""Rates and intervals against simulations whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from leakjax.evaluate import leakage as lk
from leakjax.evaluate.bootstrap import Resamples, estimate, mean_over_targets, resample
from leakjax.evaluate.document import Estimate
from leakjax.evaluate.roc import rates_of

SHIFT = 1.0


def simulate(rng, targets, points, shift):
    membership = rng.random((targets, points)) < 0.5
    return rng.normal(size=membership.shape) + shift * membership, membership


def summed(scores, membership, resamples):
    return lk.leakage(rates_of(scores, membership, np.ones_like(membership), resamples, lk.FPRS), resamples)


def simulated_tpr(shift, fpr, nonmembers, worlds):
    """The mean share of members above the first non-member too many, and its standard error."""
    rng = np.random.default_rng(0)
    allowed = int(np.floor(fpr * nonmembers + 1e-9))
    others = np.sort(rng.normal(size=(worlds, nonmembers)), axis=1)
    tpr = stats.norm.sf(others[:, -1 - allowed] - shift)
    return tpr.mean(), tpr.std() / np.sqrt(worlds)


@pytest.mark.parametrize(("fpr", "nonmembers"), [(0.01, 40), (0.01, 250), (0.001, 250), (0.001, 1000)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_expected_rates_equal_simulated_ones(fpr, nonmembers, shift):
    mean, error = simulated_tpr(shift, fpr, nonmembers, 3000)
    assert abs(lk.planted_tpr(shift, fpr, nonmembers) - mean) < 4 * error
    if shift == 0:
        assert lk.chance_tpr(fpr, nonmembers) == pytest.approx(lk.planted_tpr(0, fpr, nonmembers), abs=1e-6)


def test_expected_rates_with_ever_more_non_members_are_the_closed_forms():
    assert lk.chance_tpr(0.01, 10**7) == pytest.approx(0.01, rel=1e-5)
    assert lk.chance_tpr(0.01, 99) == pytest.approx(1 / 100)  # no false alarm: the best of 100 equal ranks
    expected = stats.norm.cdf(stats.norm.ppf(0.01) + SHIFT)
    assert lk.planted_tpr(SHIFT, 0.01, 10**6) == pytest.approx(expected, rel=1e-3)


def test_the_headline_rate_allows_five_false_alarms():
    assert lk.headline_fpr(4999) == "0.01"
    assert lk.headline_fpr(5000) == "0.001"
    assert lk.headline_fpr(30) == "0.01"


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(1)
    targets, points, worlds = 4, 500, 100
    auc_truth = stats.norm.cdf(SHIFT / np.sqrt(2))
    tpr_truth = np.mean([lk.planted_tpr(SHIFT, 0.01, n) for n in rng.binomial(points, 0.5, size=50)])
    inside = np.zeros(2)
    for world in range(worlds):
        scores, membership = simulate(rng, targets, points, SHIFT)
        found = summed(scores, membership, resample(points, targets, seed=world))
        auc, tpr = found.auc, found.tpr_at_fpr[lk.headline_fpr(points // 2)]
        inside += [auc.low <= auc_truth <= auc.high, tpr.low <= tpr_truth <= tpr.high]
        assert auc.low <= auc.value <= auc.high
    coverage = inside / worlds
    assert np.all(coverage >= 0.88), coverage


def test_the_margin_is_paired():
    """Two attacks that share almost all of their noise differ by far less than either is known."""
    rng = np.random.default_rng(2)
    scores, membership = simulate(rng, 4, 400, SHIFT)
    better = scores + 0.05 * membership
    resamples = resample(400, 4, seed=0)
    rates = [rates_of(s, membership, np.ones_like(membership), resamples, lk.FPRS) for s in (scores, better)]
    added, alone = lk.margin(rates[1], rates[0], resamples).auc, lk.leakage(rates[0], resamples).auc
    difference = lk.leakage(rates[1], resamples).auc.value - alone.value
    assert added.value == pytest.approx(difference, abs=1e-12)
    assert 0 < added.low <= added.value <= added.high
    assert added.high - added.low < 0.1 * (alone.high - alone.low)
    same = lk.margin(rates[0], rates[0], resamples)
    assert same.auc == same.tpr_at_fpr["0.01"] == Estimate(0, 0, 0)


def test_resamples_count_what_a_draw_with_replacement_would():
    drawn = resample(300, 5, seed=0, resamples=400)
    assert drawn.points.shape == (300, 401)
    assert drawn.targets.shape == (5, 401)
    for counts in drawn:
        np.testing.assert_array_equal(counts[:, 0], 1)
        np.testing.assert_array_equal(counts.sum(axis=0), len(counts))
        np.testing.assert_array_equal(counts, np.round(counts))
    assert drawn.points[:, 1:].var() == pytest.approx(1 - 1 / 300, rel=0.02)
    # Points and targets are drawn independently: neither says anything about the other.
    assert abs(np.corrcoef(drawn.points[0, 1:], drawn.targets[0, 1:])[0, 1]) < 0.2
    again = resample(300, 5, seed=0, resamples=400)
    np.testing.assert_array_equal(again.points, drawn.points)
    assert not np.array_equal(resample(300, 5, seed=1, resamples=400).points, drawn.points)


def test_a_single_target_is_not_resampled():
    np.testing.assert_array_equal(resample(20, 1, seed=0).targets, 1)


def test_an_interval_holds_its_value_and_the_middle_of_its_replicates():
    rng = np.random.default_rng(3)
    draws = rng.normal(size=1001)
    draws[0] = 0.1
    found = estimate(draws)
    assert found.value == 0.1
    low, high = np.sort(draws[1:])[[25, 974]]
    assert found.low == pytest.approx(low, abs=0.05)
    assert found.high == pytest.approx(high, abs=0.05)
    assert found.error == pytest.approx(draws[1:].std())
    outside = estimate(np.concatenate([[9.0], draws]))
    assert outside.high == outside.value == 9


def ends(replicates):
    found = estimate(replicates)
    return [found.value, found.low, found.high]


def test_replicates_without_a_value_are_left_out():
    draws = np.array([0.5, np.nan, 0.4, 0.6, np.nan])
    assert ends(draws) == pytest.approx(ends(np.array([0.5, 0.4, 0.6])))
    assert np.isnan(ends(np.array([np.nan, 0.1, 0.2]))).all()
    assert np.isnan(ends(np.array([0.3, np.nan]))[1:]).all()


def test_the_mean_over_targets_weighs_them_as_drawn_and_skips_those_without_a_value():
    targets = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 2.0]])
    values = np.array([[0.1, 0.1, 0.1], [np.nan, 0.5, np.nan], [0.4, 0.4, 0.4]])
    found = mean_over_targets(values, Resamples(np.ones((1, 3), np.float32), targets))
    np.testing.assert_allclose(found, [0.25, 0.2, 0.4])
