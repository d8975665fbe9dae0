"""Rates against a literal threshold sweep in NumPy, and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from leakjax._validate import UsageError
from leakjax.evaluate.bootstrap import Resamples
from leakjax.evaluate.roc import allowed, caught, mean_curve, over_targets, rates_of

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
    """AUC by counting all pairs; TPR by going down level by level, a level's share by its order's chance."""
    wins = (members[:, None] > others[None]).sum() + (members[:, None] == others[None]).sum() / 2
    tpr = []
    for rate in rates:
        left, found = int(np.floor(rate * len(others) + 1e-6)), 0.0
        for score in np.unique(np.concatenate([members, others]))[::-1]:
            m, h = (members == score).sum(), (others == score).sum()
            if h <= left:
                found, left = found + m, left - h
                continue
            # A member falls into each of the h + 1 gaps between the others of this level with the same chance.
            found += m * sum(gap <= left for gap in range(h + 1)) / (h + 1)
            break
        tpr.append(found / len(members))
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
            if levels is None:
                np.testing.assert_allclose(found.tpr[:, t, r], expected, rtol=1e-6)
            else:  # scikit-learn's curve has no point within a level
                assert np.all(found.tpr[:, t, r] >= np.asarray(expected) - 1e-9)


def test_the_false_positive_rate_never_exceeds_its_bound_however_near_the_next_point_is():
    # 150 non-members, rate 0.01: one false alarm (0.0067) is allowed; two (0.0133) would be nearer to it.
    others = np.arange(150.0)
    members = np.array([148.5, 147.5, 10.0, 10.0])
    scores = np.concatenate([others, members])[None]
    membership = np.arange(154)[None] >= 150
    one = Resamples(np.ones((154, 1), np.float32), np.ones((1, 1)))
    found = rates_of(scores, membership, np.ones_like(membership), one, (0.0, 0.0099, 0.0134))
    np.testing.assert_array_equal(found.tpr[:, 0, 0], [0, 0.25, 0.5])


def test_a_member_level_with_two_non_members_counts_by_its_chance():
    scores = np.array([[3.0, 3.0, 3.0, 2.0, 1.0]])
    membership = np.array([[True, False, False, True, False]])
    one = Resamples(np.ones((5, 1), np.float32), np.ones((1, 1)))
    found = rates_of(scores, membership, np.ones_like(membership), one, (0.5, 0.67))
    # One false positive of three is allowed by 0.5, two by 0.67: the member may be first or second of its level.
    np.testing.assert_allclose(found.tpr[:, 0, 0], [(2 / 3) / 2, 1])


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


def test_scores_that_tie_count_by_their_expectation_over_random_orders():
    """A binary score that says 1 of nearly every non-member is worth about chance at 1 %, not 0."""
    rng = np.random.default_rng(8)
    membership = rng.random((1, 400)) < 0.5
    scores = (rng.random((1, 400)) < np.where(membership, 0.999, 0.9)).astype(float)
    ones = Resamples(np.ones((400, 1)), np.ones((1, 1)))
    everyone = np.ones_like(membership)
    found = rates_of(scores, membership, everyone, ones, (0.01, 0.05)).tpr[:, 0, 0]
    orders = []
    for _ in range(2000):
        broken = scores + 1e-3 * rng.random(scores.shape)
        orders.append(rates_of(broken, membership, everyone, ones, (0.01, 0.05)).tpr[:, 0, 0])
    np.testing.assert_allclose(found, np.mean(orders, axis=0), atol=0.002)
    np.testing.assert_allclose(found, mean_curve(scores, membership, everyone, np.array([0.01, 0.05])))
    assert 0.01 < found[0] < 0.02


def test_scores_that_are_not_finite_are_refused_where_they_count():
    scores, membership, valid, resamples = world(None)
    scores[1, 5] = np.nan
    valid[1, 5] = True
    for measure in (
        lambda: rates_of(scores, membership, valid, resamples, RATES),
        lambda: mean_curve(scores, membership, valid, np.array([0.1])),
        lambda: caught(scores, membership, valid, 0.1),
    ):
        with pytest.raises(UsageError, match="1 not finite"):
            measure()
    valid[1, 5] = False
    assert np.isfinite(rates_of(scores, membership, valid, resamples, RATES).tpr).all()


def test_caught_are_the_points_above_the_first_non_member_too_many():
    scores, membership, valid, _ = world(None)
    found = caught(scores, membership, valid, 0.1)
    for target in range(TARGETS):
        alarms = found[target] & ~membership[target]
        assert alarms.sum() == allowed(0.1, (valid[target] & ~membership[target]).sum())
        assert not (found[target] & ~valid[target]).any()
    membership[1] = True  # no non-member sets a threshold
    assert not caught(scores, membership, valid, 0.1)[1].any()


def test_differences_are_paired_target_by_target():
    values, beside = np.array([0.3, 0.5, np.nan, 0.7]), np.array([0.2, 0.3, 0.1, 0.6])
    found = over_targets(values, beside)
    np.testing.assert_allclose(found, (np.mean([0.1, 0.2, 0.1]), np.std([0.1, 0.2, 0.1], ddof=1) / 3**0.5))
    assert np.isnan(over_targets(np.array([0.5])).error)
