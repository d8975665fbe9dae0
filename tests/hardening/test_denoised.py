"""What takes known noise off a map, against the filter in closed form, and what an attacker gains by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax.attack.stacked import Answers, attack
from leakjax.hardening.denoised import denoiser
from leakjax.hardening.world import World
from tests.attack.planted import mean_auc

KEY = jax.random.key(5)
FEATURES = 6


def explained(models, points, seed):
    """Maps around a mean of each point, that differ between models along two directions more than along others."""
    rng = np.random.default_rng(seed)
    mixing = np.diag([2.0, 1.0, 0.1, 0.1, 0.05, 0.0]) @ np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))[0]
    return rng.normal(size=(points, FEATURES)) + rng.normal(size=(models, points, FEATURES)) @ mixing


def world(maps):
    models, points = maps.shape[:2]
    there = jnp.ones((models, points), bool)
    return World(
        jnp.asarray(maps, jnp.float32), jnp.zeros(maps.shape[1:]), there, there, None, None,
        jnp.zeros((models, points), int), None, KEY,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "scaled", "noise", "variance"),
    [
        ("gaussian_noise(0.5)", 1.0, lambda rng, shape: 0.5 * rng.normal(size=shape), 0.25),
        ("scale(2.0)+laplace_noise(0.4)", 2.0, lambda rng, shape: rng.laplace(scale=0.4, size=shape), 0.32),
    ],
)
def test_the_guess_is_that_of_the_wiener_filter(text, scaled, noise, variance):
    """Whose oracle knows the covariance of the maps and the variance of the noise: C (C + v)^-1."""
    rng = np.random.default_rng(1)
    maps = scaled * explained(60, 400, seed=3)
    about = (maps - maps.mean(axis=0)).reshape(-1, FEATURES)
    covariance = about.T @ about / len(about)
    weights = np.linalg.solve(covariance + variance * np.eye(FEATURES), covariance)
    take_off = denoiser(world(maps / scaled), defend.parse(text))
    released = maps[:, :50] + noise(rng, maps[:, :50].shape)
    found = np.asarray(take_off(jnp.asarray(released, jnp.float32), jnp.arange(50)))
    middle = released.mean(axis=0)
    np.testing.assert_allclose(found, middle + (released - middle) @ weights, atol=0.06)
    error = lambda guess: float(((guess - maps[:, :50]) ** 2).mean())
    assert error(found) < 0.6 * error(released)


def test_a_map_that_is_not_finite_stays_so_and_moves_no_other():
    maps = explained(20, 30, seed=4).astype(np.float32)
    take_off = denoiser(world(maps), defend.gaussian_noise(0.5))
    broken = maps.copy()
    broken[3, 7, 2] = np.nan
    found, whole = (np.asarray(take_off(jnp.asarray(one), jnp.arange(30))) for one in (broken, maps[:, :7]))
    assert np.isnan(found[3, 7]).all()
    assert np.isfinite(np.delete(found, 3, axis=0)).all()
    np.testing.assert_array_equal(found[:, :7], whole)


def test_an_attacker_gains_where_maps_differ_along_few_directions_and_noise_lies_along_all():
    """No direction is an axis, so that an attack that weighs feature by feature does not know them."""
    rng = np.random.default_rng(6)
    membership = rng.random((40, 200)) < 0.5
    few = rng.normal(size=(40, 200, 3))
    few = few + 1.5 * (membership[..., None] - 0.5) * rng.normal(size=(200, 3))
    maps = few @ np.linalg.qr(rng.normal(size=(150, 3)))[0].T
    released = jnp.asarray(maps + rng.normal(size=maps.shape), jnp.float32)
    take_off = denoiser(world(maps[20:]), defend.gaussian_noise(1.0))
    nothing = Answers(np.zeros((40, 200, 0), np.float32))
    found = [
        attack(nothing, Answers(nothing.signals, (np.asarray(each),)), membership, targets=np.arange(16))[0]
        for each in (released, take_off(released, jnp.arange(200)))
    ]
    shown, denoised = (mean_auc(one.explanation, membership[:16]) for one in found)
    assert denoised > shown + 0.05
