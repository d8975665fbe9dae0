"""Rates against a literal threshold sweep in NumPy, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from leakjax.evaluate.bootstrap import Resamples
from leakjax.evaluate.roc import allowed, mean_curve, rates_of

RATES = (0.0, 0.01, 0.1, 0.3)
TARGETS, POINTS, RESAMPLES = 3, 150, 5


def world(levels, seed=0):
    """Scores with ties (few levels) or without, one target with far fewer valid points."""
    rng = np.random.default_rng(seed)
    membership = rng.random((TARGETS, POINTS)) < 0.5
    scores = rng.normal(size=membership.shape) + 0.7 * membership
    if levels:
        scores = np.round(levels * scores) / levels
    valid = rng.random(membership.shape) < np.array([1.0, 0.9, 0.3])[:, None]
    weights = rng.multinomial(POINTS, np.full(POINTS, 1 / POINTS), size=RESAMPLES).T
    weights = np.column_stack([np.ones(POINTS), weights]).astype(np.float64)
    return scores.astype(np.float32), membership, valid, Resamples(weights, np.ones((TARGETS, 1 + RESAMPLES)))


def literal(members, others, rates):
    """AUC by counting all pairs; TPR by trying every threshold, in exact integers."""
    wins = (members[:, None] > others[None]).sum() + (members[:, None] == others[None]).sum() / 2
    tpr = []
    for rate in rates:
        best = 0.0
        for threshold in [np.inf, *np.unique(np.concatenate([members, others]))]:
            if (others >= threshold).sum() <= rate * len(others) + 1e-9:
                best = max(best, (members >= threshold).mean())
        tpr.append(best)
    return wins / len(members) / len(others), tpr


def samples(scores, membership, keep, counts):
    """Members' and non-members' scores, each repeated as often as it was drawn."""
    drawn = np.repeat(np.flatnonzero(keep), counts[keep].astype(int))
    return scores[drawn][membership[drawn]], scores[drawn][~membership[drawn]]


@pytest.mark.parametrize("levels", [None, 1, 4])
def test_rates_equal_a_literal_sweep_over_rows_repeated_as_drawn(levels):
    scores, membership, valid, resamples = world(levels)
    found = rates_of(scores, membership, valid, resamples, RATES)
    assert found.auc.shape == (TARGETS, 1 + RESAMPLES)
    assert found.tpr.shape == (len(RATES), TARGETS, 1 + RESAMPLES)
    for t in range(TARGETS):
        for r in range(1 + RESAMPLES):
            members, others = samples(scores[t], membership[t], valid[t], resamples.points[:, r])
            auc, tpr = literal(members, others, RATES)
            # Resampled to first order: an error of the order of one over the number of points.
            np.testing.assert_allclose(found.auc[t, r], auc, atol=0.04 if r else 1e-12)
            np.testing.assert_allclose(found.tpr[:, t, r], tpr, rtol=1e-12)


@pytest.mark.parametrize("levels", [None, 3])
def test_resampled_areas_vary_as_exact_ones_do(levels):
    """To first order: the mean placement of the drawn members, plus that of the drawn non-members."""
    rng = np.random.default_rng(4)
    scores, membership, valid, _ = world(levels)
    weights = rng.multinomial(POINTS, np.full(POINTS, 1 / POINTS), size=200).T
    resamples = Resamples(np.column_stack([np.ones(POINTS), weights]), np.ones((TARGETS, 201)))
    found = rates_of(scores, membership, valid, resamples, RATES).auc
    for t in range(TARGETS):
        inside, outside = (np.flatnonzero(valid[t] & part) for part in (membership[t], ~membership[t]))
        gap = scores[t, inside][:, None] - scores[t, outside][None]
        wins = (gap > 0) + (gap == 0) / 2
        w_in, w_out = resamples.points[inside], resamples.points[outside]
        linear = (
            w_in.T @ wins.mean(axis=1) / w_in.sum(axis=0)
            + w_out.T @ wins.mean(axis=0) / w_out.sum(axis=0)
            - wins.mean()
        )
        np.testing.assert_allclose(found[t], linear, rtol=1e-10)
        exact = np.einsum("mr,mo,or->r", w_in, wins, w_out) / w_in.sum(axis=0) / w_out.sum(axis=0)
        assert np.corrcoef(found[t], exact)[0, 1] > 0.98
        assert found[t].std() == pytest.approx(exact.std(), rel=0.1)


@pytest.mark.parametrize("levels", [None, 2])
def test_rates_equal_scikit_learns_with_sample_weights(levels):
    scores, membership, valid, resamples = world(levels, seed=1)
    found = rates_of(scores, membership, valid, resamples, RATES)
    for t in range(TARGETS):
        keep = valid[t]
        for r in range(1 + RESAMPLES):
            weight = resamples.points[keep, r].astype(np.float64)
            auc = metrics.roc_auc_score(membership[t, keep], scores[t, keep], sample_weight=weight)
            np.testing.assert_allclose(found.auc[t, r], auc, atol=0.04 if r else 1e-9)
            fpr, tpr, _ = metrics.roc_curve(
                membership[t, keep], scores[t, keep], sample_weight=weight, drop_intermediate=False
            )
            expected = [tpr[fpr <= rate + 1e-9].max() for rate in RATES]
            np.testing.assert_allclose(found.tpr[:, t, r], expected, rtol=1e-6)


def test_the_false_positive_rate_never_exceeds_its_bound_however_near_the_next_point_is():
    # 150 non-members, rate 0.01: one false alarm (0.0067) is allowed; two (0.0133) would be nearer to it.
    others = np.arange(150.0)
    members = np.array([148.5, 147.5, 10.0, 10.0])
    scores = np.concatenate([others, members])[None]
    membership = np.arange(154)[None] >= 150
    one = Resamples(np.ones((154, 1), np.float32), np.ones((1, 1)))
    found = rates_of(scores, membership, np.ones_like(membership), one, (0.0, 0.0099, 0.0134))
    np.testing.assert_array_equal(found.tpr[:, 0, 0], [0, 0.25, 0.5])


def test_non_members_level_with_a_member_are_alarms_with_it():
    scores = np.array([[3.0, 3.0, 3.0, 2.0, 1.0]])
    membership = np.array([[True, False, False, True, False]])
    one = Resamples(np.ones((5, 1), np.float32), np.ones((1, 1)))
    found = rates_of(scores, membership, np.ones_like(membership), one, (0.5, 0.67))
    np.testing.assert_array_equal(found.tpr[:, 0, 0], [0, 1])


def test_points_that_are_not_valid_count_for_nothing():
    scores, membership, valid, resamples = world(4)
    rng = np.random.default_rng(2)
    before = rates_of(scores, membership, valid, resamples, RATES)
    other = np.where(valid, scores, 1e6 * rng.normal(size=scores.shape)).astype(np.float32)
    flipped = np.where(valid, membership, ~membership)
    after = rates_of(other, flipped, valid, resamples, RATES)
    np.testing.assert_array_equal(after.auc, before.auc)
    np.testing.assert_array_equal(after.tpr, before.tpr)


def test_a_subset_has_its_own_members_and_everyones_threshold():
    scores, membership, valid, resamples = world(4)
    part = np.arange(POINTS) % 3 != 0
    found = rates_of(scores, membership, valid, resamples, RATES, of=part)
    for t in range(TARGETS):
        for r in range(1 + RESAMPLES):
            counts = resamples.points[:, r]
            _, others = samples(scores[t], membership[t], valid[t], counts)
            members, _ = samples(scores[t], membership[t], valid[t] & part, counts)
            auc, tpr = literal(members, others, RATES)
            np.testing.assert_allclose(found.auc[t, r], auc, atol=0.04 if r else 1e-12)
            np.testing.assert_allclose(found.tpr[:, t, r], tpr, rtol=1e-12)


def test_targets_without_members_or_without_non_members_have_no_rates():
    scores, membership, valid, resamples = world(None)
    membership[0], membership[1] = True, False
    found = rates_of(scores, membership, valid, resamples, RATES)
    assert np.isnan(found.auc[:2]).all()
    assert np.isnan(found.tpr[:, :2]).all()
    assert np.isfinite(found.auc[2]).all()


def test_mean_curve_is_the_mean_over_targets_of_the_rates():
    for levels in (None, 2):
        scores, membership, valid, resamples = world(levels)
        found = rates_of(scores, membership, valid, resamples, RATES)
        curve = mean_curve(scores, membership, valid, np.array(RATES))
        np.testing.assert_allclose(curve, found.tpr[:, :, 0].mean(axis=1), rtol=1e-12)


def test_everything_is_caught_where_everything_may_be_an_alarm():
    scores, membership, valid, resamples = world(None)
    scores = np.where(membership, -scores, scores)  # some members stand below all non-members
    np.testing.assert_array_equal(mean_curve(scores, membership, valid, np.array([1.0])), 1)
    np.testing.assert_array_equal(rates_of(scores, membership, valid, resamples, (1.0,)).tpr, 1)


def test_how_many_false_alarms_a_rate_allows():
    assert allowed(0.001, 1000) == 1
    assert allowed(0.001, 999) == 0
    assert allowed(0.29, 100) == 29  # 0.29 * 100 is 28.999999999999996
    np.testing.assert_array_equal(allowed(np.array([0.0, 0.01, 1.0]), 250), [0, 2, 250])
