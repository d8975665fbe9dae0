import math

import numpy as np
import pytest
from scipy.stats import norm

from leakjax import UsageError
from leakjax.defend import centres, mean_row, private_centres, shuffled
from leakjax.defend.stand_ins import STEPS

ROWS = np.random.default_rng(3).normal(size=(40, 2, 3)).astype(np.float32)


def test_shuffled_rows_keep_every_features_values_and_no_row():
    found = shuffled(ROWS, seed=0)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(ROWS, axis=0))
    assert not (found[:, None] == ROWS[None]).all(axis=(2, 3)).any()


def test_centres_of_far_groups_are_their_means_as_often_as_they_have_rows():
    groups = np.concatenate([ROWS[:30], ROWS[30:] + 100])
    found = centres(groups, 2, seed=1)
    for own in (slice(0, 30), slice(30, 40)):
        np.testing.assert_allclose(
            found[own], np.broadcast_to(groups[own].mean(axis=0), groups[own].shape), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_allclose(mean_row(found), mean_row(groups), rtol=1e-5)


def test_private_centres_find_groups_where_there_are_many_rows_and_stay_within_bounds():
    rng = np.random.default_rng(0)
    many = np.concatenate([rng.normal(-0.5, 0.05, (4000, 2)), rng.normal(0.5, 0.05, (4000, 2))])
    given = {"epsilon": 1.0, "delta": 1e-6, "low": -1.0, "high": 1.0}
    found = private_centres(many, 2, **given, seed=2)
    np.testing.assert_allclose(np.sort(found[:, 0]), [-0.5, 0.5], atol=0.05)
    few = private_centres(many[:3], 2, **given, seed=2)
    assert (np.abs(few) <= 1).all()


def test_the_noise_of_private_centres_is_that_of_the_mechanism(monkeypatch):
    """With one centre and no row to it, what is released is noise: its sigma solves the mechanism's own equation."""
    drawn = []
    generator = np.random.default_rng

    class Watched:
        def __init__(self, seed):
            self.inner = generator(seed)

        def uniform(self, *given):
            return self.inner.uniform(*given)

        def standard_normal(self, shape):
            drawn.append(shape)
            return np.ones(shape)

    monkeypatch.setattr(np.random, "default_rng", Watched)
    rows = np.zeros((1, 1))
    found = private_centres(rows, 1, epsilon=2.0, delta=1e-5, low=-100.0, high=100.0, seed=0)
    assert drawn == [(1, 2)] * STEPS
    # sum = 0 + sigma and number = 1 + sigma: the centre is sigma / (1 + sigma) of the half width.
    share = float(found[0, 0]) / 100
    sigma = share / (1 - share)
    far = math.sqrt(2 * STEPS)
    a, b = far / (2 * sigma), 2.0 * sigma / far
    assert norm.cdf(a - b) - math.exp(2.0) * norm.cdf(-a - b) == pytest.approx(1e-5, rel=1e-2)


def test_a_count_out_of_range_is_one_line():
    for count in (0, 41):
        with pytest.raises(UsageError, match=f"count={count}: must be 1 to 40"):
            centres(ROWS, count, seed=0)
