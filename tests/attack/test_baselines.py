"""Every baseline finds a planted leak, sees nothing of its target's membership, and finds nothing in noise."""

import numpy as np
import pytest
from scipy import stats

from leakjax.attack.baselines import BASELINES, base, lira
from leakjax.attack.roles import roles
from tests.attack.planted import mean_auc, planted

MEMBERSHIP, SIGNALS, ORACLE = planted([1.5])
PLAN = roles(32, np.arange(32))


@pytest.mark.parametrize("name", BASELINES)
def test_it_finds_a_planted_leak(name):
    found = BASELINES[name](SIGNALS[..., 0], MEMBERSHIP, PLAN)
    assert found.shape == MEMBERSHIP.shape
    assert np.isfinite(found).all()
    assert mean_auc(found, MEMBERSHIP) > mean_auc(ORACLE, MEMBERSHIP) - 0.16


@pytest.mark.parametrize("name", BASELINES)
def test_flipping_a_target_changes_no_bit(name):
    for signal in (SIGNALS[..., 0], np.full_like(SIGNALS[..., 0], 0.7)):
        before = BASELINES[name](signal, MEMBERSHIP, PLAN)
        for target in (0, 9, 31):
            flipped = MEMBERSHIP.copy()
            flipped[target] = ~flipped[target]
            after = BASELINES[name](signal, flipped, PLAN)
            np.testing.assert_array_equal(after[target], before[target])


@pytest.mark.parametrize("name", BASELINES)
def test_it_finds_nothing_in_noise(name):
    noise = np.random.default_rng(1).normal(size=MEMBERSHIP.shape)
    assert abs(mean_auc(BASELINES[name](noise, MEMBERSHIP, PLAN), MEMBERSHIP) - 0.5) < 0.02


def test_lira_and_base_against_loops_over_models():
    signal, target = SIGNALS[..., 0].astype(float), 5
    known = PLAN.known[target]
    per_point, plain = (
        lira(SIGNALS[..., 0], MEMBERSHIP, PLAN)[target],
        base(SIGNALS[..., 0], MEMBERSHIP, PLAN)[target],
    )
    for point in range(0, 200, 17):
        inside = signal[known & MEMBERSHIP[:, point], point]
        outside = signal[known & ~MEMBERSHIP[:, point], point]
        expected = stats.norm.logpdf(signal[target, point], inside.mean(), inside.std(ddof=1))
        expected -= stats.norm.logpdf(signal[target, point], outside.mean(), outside.std(ddof=1))
        np.testing.assert_allclose(per_point[point], expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            plain[point], signal[target, point] - (inside.mean() + outside.mean()) / 2, rtol=1e-4, atol=1e-4
        )
