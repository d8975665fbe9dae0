"""Attacks against reference models beside loops that follow their papers, in float64."""

import jax
import numpy as np
import pytest

from leakjax.attack.registry import parse
from leakjax.attack.run import run
from tests.attack.replied import replied

KEY = jax.random.key(0)
TARGETS = np.array([0, 7])


def setting(text, seed=0):
    membership, replies = replied(seed=seed)
    found = run(parse(text), replies, membership, targets=TARGETS, key=KEY)
    logs = replies.log_probabilities.astype(np.float64)
    points = np.arange(logs.shape[1])
    return membership, np.exp(logs[:, points, replies.label]), found


def groups(membership, target, point):
    others = np.arange(len(membership)) != target
    return others & membership[:, point], others & ~membership[:, point]


@pytest.mark.parametrize(
    ("text", "online"), [("rmia(gamma=1.5)", True), ("rmia(online=False, a=0.4)", False)]
)
def test_rmia_counts_the_points_that_are_dominated(text, online):
    membership, p, found = setting(text)
    gamma = 1.5 if online else 2.0
    assert found.valid.all()
    for row, target in enumerate(TARGETS):
        ratios = np.zeros(p.shape[1])
        for point in range(p.shape[1]):
            inside, outside = groups(membership, target, point)
            usual = (p[inside, point].mean() + p[outside, point].mean()) / 2
            if not online:
                usual = (1.4 * p[outside, point].mean() + 0.6) / 2
            ratios[point] = p[target, point] / usual
        # All points are looked at as z here: there are fewer than an attack learns on.
        expected = [(ratio / ratios >= gamma).mean() for ratio in ratios]
        np.testing.assert_allclose(found.scores[row], expected, atol=1.5 / p.shape[1])


@pytest.mark.parametrize("online", [True, False])
def test_base_is_the_loss_against_a_mean_probability(online):
    membership, p, found = setting(f"base(online={online})")
    for row, target in enumerate(TARGETS):
        for point in range(p.shape[1]):
            inside, outside = groups(membership, target, point)
            usual = p[inside | outside if online else outside, point].mean()
            assert found.scores[row, point] == pytest.approx(np.log(p[target, point] / usual), abs=1e-4)


def test_the_calibrated_difference_and_attack_r():
    membership, p, difference = setting("difference")
    _, _, rank = setting("attack_r")
    for row, target in enumerate(TARGETS):
        for point in range(p.shape[1]):
            _, outside = groups(membership, target, point)
            usual = np.log(p[outside, point]).mean()
            assert difference.scores[row, point] == pytest.approx(np.log(p[target, point]) - usual, abs=1e-4)
            share = (p[outside, point] < p[target, point]).mean()
            assert rank.scores[row, point] == pytest.approx(share, abs=1e-6)


def test_models_that_all_say_the_same_are_told_apart_by_none():
    membership, replies = replied("constant")
    for text, nothing in (("base", 0.0), ("difference", 0.0), ("attack_r", 0.5)):
        found = run(parse(text), replies, membership, key=KEY)
        np.testing.assert_array_equal(found.scores, nothing)
