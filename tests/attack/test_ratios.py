"""Ratios against a literal refit of every mean and slope in NumPy, model by model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.attack import likelihood, ratios

MODELS, FEATURES, CALIBRATORS = 14, 5, 3


@pytest.fixture
def point():
    rng = np.random.default_rng(0)
    membership = rng.random(MODELS) < 0.5
    prediction = rng.normal(size=MODELS) + membership
    maps = (
        rng.normal(size=(MODELS, FEATURES))
        + 0.5 * prediction[:, None]
        + membership[:, None] * rng.normal(size=FEATURES)
    )
    maps[:, 2] = 3.0  # a feature that no model changes
    return maps, membership, prediction


def refit(maps, membership, prediction, target, answer):
    """The two ratios, every statistic computed anew from the models that may be used."""
    maps = maps - maps.mean(0)
    variance = (maps**2).mean(0)
    maps = maps / np.sqrt(0.8 * variance + 0.2 * variance.mean())
    used = [m for m in range(len(maps)) if m not in (target, answer)]
    ins = [m for m in used if membership[m]]
    outs = [m for m in used if not membership[m]]
    mean_in, mean_out = maps[ins].mean(0), maps[outs].mean(0)
    marginal = (mean_in - mean_out) @ (maps[answer] - (mean_in + mean_out) / 2)
    # Conditional: one slope a feature, by least squares with an intercept in each group.
    design = np.array([[prediction[m], membership[m], not membership[m]] for m in used], float)
    slope, at_in, at_out = np.linalg.lstsq(design, maps[used], rcond=None)[0]
    rest = maps[answer] - slope * prediction[answer]
    conditional = (at_in - at_out) @ (rest - (at_in + at_out) / 2)
    return marginal, conditional


@pytest.mark.usefixtures("x64")
def test_ratios_equal_a_literal_refit_without_target_and_calibrator(point):
    maps, membership, prediction = point
    targets = np.array([0, 5, 13])
    found = ratios.ratios(jnp.asarray(maps), jnp.asarray(membership), jnp.asarray(prediction), CALIBRATORS)
    for target, scored in zip(targets, ratios.pairs(MODELS, targets, CALIBRATORS), strict=True):
        for j, answer in enumerate(scored):
            expected = refit(maps, membership, prediction, target, answer)
            for ratio, value in zip(found, expected, strict=True):
                np.testing.assert_allclose(ratio[target, j], value, rtol=1e-8, atol=1e-9)


def test_the_targets_own_membership_changes_none_of_its_ratios(point):
    maps, membership, prediction = (jnp.asarray(a) for a in point)
    before = np.stack(ratios.ratios(maps, membership, prediction, CALIBRATORS))
    for target in (0, 7):
        flipped = membership.at[target].set(~membership[target])
        after = np.stack(ratios.ratios(maps, flipped, prediction, CALIBRATORS))
        np.testing.assert_allclose(after[:, target], before[:, target], atol=1e-4)
        others = np.delete(np.arange(MODELS), target)
        assert np.abs(after[:, others] - before[:, others]).max() > 0.01


def test_enough_shadows_leaves_out_target_and_calibrator():
    membership = np.random.default_rng(1).random((8, 40)) < 0.3
    scored = ratios.pairs(8, np.arange(8), CALIBRATORS)
    enough = likelihood.enough_shadows(membership, scored)
    assert 0 < enough.mean() < 1
    for target in range(8):
        for j in range(1 + CALIBRATORS):
            left = membership[[m for m in range(8) if m not in (target, (target + j) % 8)]]
            expected = (left.sum(0) >= 2) & ((~left).sum(0) >= 2)
            np.testing.assert_array_equal(enough[target, j], expected)


def test_maps_that_all_models_agree_on_are_no_ratios(point):
    _, membership, prediction = (jnp.asarray(a) for a in point)
    same = ratios.ratios(jnp.ones((MODELS, FEATURES)), membership, prediction, CALIBRATORS)
    for ratio in same:
        np.testing.assert_array_equal(ratio, 0)


def test_standardise_scales_a_map_and_a_multiple_of_it_alike(point):
    maps = jnp.asarray(point[0], jnp.float32)
    np.testing.assert_allclose(
        ratios.standardise(maps), ratios.standardise(1000 * maps), rtol=1e-4, atol=1e-5
    )


def test_ratios_of_many_points_are_those_of_each(point):
    maps, membership, prediction = (
        jnp.asarray(a, jnp.float32) if a.dtype == float else jnp.asarray(a) for a in point
    )
    alone = ratios.ratios(maps, membership, prediction, CALIBRATORS)
    batch = jax.vmap(ratios.ratios, (0, None, None, None))(
        jnp.stack([maps, 2 * maps + 1]), membership, prediction, CALIBRATORS
    )
    for each, expected in zip(batch, alone, strict=True):
        np.testing.assert_allclose(each[0], expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(each[1], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("x64")
def test_the_scaled_ratio_equals_a_literal_refit_in_units_of_the_points_variance(point):
    _, membership, prediction = point
    found = ratios.scaled_ratio(jnp.asarray(prediction), jnp.asarray(membership), CALIBRATORS)
    for target, scored in zip(
        range(MODELS), ratios.pairs(MODELS, np.arange(MODELS), CALIBRATORS), strict=True
    ):
        for j, answer in enumerate(scored):
            used = np.array([m for m in range(MODELS) if m not in (target, answer)])
            ins, outs = prediction[used[membership[used]]], prediction[used[~membership[used]]]
            variance = (len(ins) * ins.var() + len(outs) * outs.var()) / len(used)
            middle = (ins.mean() + outs.mean()) / 2
            expected = (ins.mean() - outs.mean()) * (prediction[answer] - middle) / variance
            np.testing.assert_allclose(found[target, j], expected, rtol=1e-8)
