"""Thresholds set on shadows, and leakage by parts of the points, beside closed forms."""

import numpy as np
import pytest
from scipy import optimize, stats

from leakjax.evaluate.operating import operating
from leakjax.evaluate.parts import by_part, correctness, fifths

GENERATOR = np.random.default_rng(0)


def gaussian(shift, targets=8, points=20000):
    membership = GENERATOR.random((targets, points)) < 0.5
    return GENERATOR.normal(size=membership.shape) + shift * membership, membership, np.ones_like(membership)


def test_rates_and_precision_are_those_of_two_gaussians():
    found = operating(*gaussian(2.0), 0.01)
    power = stats.norm.sf(stats.norm.isf(0.01) - 2.0)
    assert found.fpr.mean == pytest.approx(0.01, abs=4 * found.fpr.error)
    assert found.tpr.mean == pytest.approx(power, abs=0.02)
    for prior in (0.01, 0.1):
        expected = prior * power / (prior * power + (1 - prior) * 0.01)
        assert found.precision[prior].mean == pytest.approx(expected, abs=0.03)


def test_a_target_on_another_scale_than_its_shadows_shows_in_the_achieved_rate():
    scores, membership, valid = gaussian(1.0)
    scores[0] += 1.0
    found = operating(scores, membership, valid, 0.01)
    of_shadows = lambda cut: (6 * stats.norm.sf(cut) + stats.norm.sf(cut - 1)) / 7 - 0.01
    cut = optimize.brentq(of_shadows, 0, 9)  # of the others, which have the first among their shadows
    expected = (stats.norm.sf(stats.norm.isf(0.01) - 1) + 7 * stats.norm.sf(cut)) / 8
    assert found.fpr.mean == pytest.approx(expected, abs=0.002)


def test_constant_scores_call_nobody():
    scores, membership, valid = gaussian(1.0, points=100)
    found = operating(0 * scores, membership, valid, 0.01)
    assert found.tpr.mean == found.fpr.mean == 0
    assert np.isnan(found.precision[0.1].mean)


def test_a_part_that_leaks_more_is_caught_more_often():
    membership = GENERATOR.random((6, 9000)) < 0.5
    levels = np.repeat(["a", "b", "c"], 3000)
    shift = np.select([levels == "a", levels == "b"], [3.0, 0.0], 1.0)
    scores = GENERATOR.normal(size=membership.shape) + shift[None] * membership
    found = {part.level: part for part in by_part(scores, membership, np.ones_like(membership), levels, 0.01)}
    cut = stats.norm.isf(0.01)
    for level, gain in (("a", 3.0), ("b", 0.0), ("c", 1.0)):
        assert found[level].tpr.mean == pytest.approx(stats.norm.sf(cut - gain), abs=0.025)
        assert found[level].fpr.mean == pytest.approx(0.01, abs=0.005)
        assert found[level].share == pytest.approx(1 / 3)


def test_parts_of_each_target_and_what_is_not_valid():
    membership = np.array([[True, True, False, False]] * 2)
    scores = np.array([[4.0, 1.0, 2.0, 3.0]] * 2)
    right = correctness(np.array([[0, 0, 1, 1], [1, 0, 0, 1]]), np.array([0, 0, 1, 0]))
    assert right.tolist() == [["right", "right", "right", "wrong"], ["wrong", "right", "wrong", "wrong"]]
    valid = np.ones_like(membership)
    valid[1, 0] = False
    parts = {part.level: part for part in by_part(scores, membership, valid, right, 0.01)}
    assert parts["right"].share == pytest.approx(4 / 7)
    # The first target catches its member of score 4; the second has none above its non-members left.
    assert parts["right"].tpr.mean == pytest.approx((1 / 2 + 0) / 2)


def test_fifths_are_of_equal_size_and_in_order():
    loss = GENERATOR.normal(size=(3, 50))
    found = fifths(loss)
    assert all((row == "3 of 5").sum() == 10 for row in found)
    assert loss[0][found[0] == "1 of 5"].max() < loss[0][found[0] == "2 of 5"].min()
