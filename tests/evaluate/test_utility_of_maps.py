"""Figures of utility against NumPy in float64 and SciPy, by the formulas of captum and Quantus, and at chance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from leakjax.evaluate import utility_curves, utility_local, utility_quoted, utility_shape
from leakjax.explain import EXPLAINERS

KEY = jax.random.key(5)
RNG = np.random.default_rng(0)
SHAPE = (4, 3, 2)
X = RNG.normal(size=SHAPE).astype(np.float32)
W = RNG.normal(size=SHAPE)
A = (W + RNG.normal(size=SHAPE)).astype(np.float32)
BASELINE = 0.25


def f(x):
    return jnp.tanh(jnp.sum(jnp.asarray(W, x.dtype) * x) / 3)


def f64(x):
    return np.tanh(np.sum(W * x) / 3)


def pearson(a, b):
    return scipy.stats.pearsonr(a, b).statistic


def curve_oracle(a, priority, steps):
    """Areas under insertion and deletion; ties fall by `priority`."""
    order = sorted(range(a.size), key=lambda i: (-a.ravel()[i], priority[i]))
    inserted, deleted = [], []
    for step in range(steps + 1):
        first = np.zeros(a.size, bool)
        first[order[: round(a.size * step / steps)]] = True
        first = first.reshape(a.shape)
        inserted.append(f64(np.where(first, X, BASELINE)))
        deleted.append(f64(np.where(first, BASELINE, X)))
    return [np.trapezoid(values, dx=1 / steps) for values in (inserted, deleted)]


@pytest.mark.parametrize("steps", [6, 24])
@pytest.mark.parametrize("a", [A, np.round(A), np.zeros(SHAPE, np.float32)], ids=["plain", "ties", "zero"])
def test_curves_against_numpy(a, steps):
    found = jax.jit(
        lambda a: utility_curves.curves(f, jnp.asarray(X), a, key=KEY, baseline=BASELINE, steps=steps)
    )(a)
    priority = np.asarray(jax.random.uniform(KEY, (a.size,)))
    np.testing.assert_allclose(found, curve_oracle(a, priority, steps), rtol=1e-5)


def test_a_map_that_knows_the_model_gains_and_one_that_knows_nothing_is_at_chance():
    keys = jax.random.split(KEY, 400)

    def gains(maps):
        one = lambda a, key: utility_curves.curve_gain(f, jnp.asarray(X), a, key=key)
        return np.asarray(jax.jit(jax.vmap(one))(maps, keys))

    assert gains(jnp.broadcast_to(jnp.float32(W * X), (400, *SHAPE))).mean() > 0.3
    for nothing in (jnp.ones((400, *SHAPE)), jax.random.normal(KEY, (400, *SHAPE))):
        found = gains(nothing)
        assert abs(found.mean()) < 4 * found.std() / 20


def test_coarse_maps_count_for_the_values_that_they_cover():
    coarse = jnp.arange(8.0).reshape(4, 1, 2)[:, :, :1]
    whole = jnp.broadcast_to(coarse, SHAPE)
    for figure in utility_quoted.FIGURES.values():
        np.testing.assert_array_equal(
            figure(f, jnp.asarray(X), coarse, key=KEY), figure(f, jnp.asarray(X), whole, key=KEY)
        )


def test_local_correlation_against_scipy():
    found = jax.jit(
        lambda a: utility_local.local_correlation(f, jnp.asarray(X), a, key=KEY, radius=0.3, samples=50)
    )(A)
    d = 0.3 * np.asarray(jax.random.normal(KEY, (50, *SHAPE)), np.float64)
    expected = pearson([np.sum(A * e) for e in d], [f64(X + e) - f64(X) for e in d])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_mask_correlation_against_scipy():
    found = jax.jit(
        lambda a: utility_local.mask_correlation(f, jnp.asarray(X), a, key=KEY, baseline=BASELINE)
    )(A)
    masks = np.asarray(jax.random.bernoulli(KEY, 0.5, (64, *SHAPE)))
    lost = [f64(X) - f64(np.where(mask, BASELINE, X)) for mask in masks]
    np.testing.assert_allclose(found, pearson([A[mask].sum() for mask in masks], lost), rtol=1e-4)


def test_faithfulness_correlation_against_scipy():
    found = utility_local.faithfulness_correlation(f, jnp.asarray(X), A, key=KEY, subset=5, samples=40)
    draws = np.asarray(jax.random.uniform(KEY, (40, X.size)))
    sums, lost = [], []
    for draw in draws:
        mask = np.zeros(X.size, bool)
        mask[np.argsort(draw)[:5]] = True
        mask = mask.reshape(SHAPE)
        sums.append(A[mask].sum())
        lost.append(f64(X) - f64(np.where(mask, 0, X)))
    np.testing.assert_allclose(found, pearson(sums, lost), rtol=1e-4)


def test_infidelity_against_numpy_and_a_map_of_zeros_is_the_level_of_chance():
    found = jax.jit(lambda a: utility_local.infidelity(f, jnp.asarray(X), a, key=KEY, radius=0.3, samples=50))
    d = 0.3 * np.asarray(jax.random.normal(KEY, (50, *SHAPE)), np.float64)
    for a in (A, 0 * A):
        expected = np.mean([(np.sum(e * a) - (f64(X) - f64(X - e))) ** 2 for e in d])
        np.testing.assert_allclose(found(a), expected, rtol=1e-4)
    assert found(jax.grad(f)(X)) < found(0 * A)


def test_max_sensitivity_against_numpy():
    explain = jax.grad(f)
    found = jax.jit(lambda x: utility_local.max_sensitivity(explain, x, key=KEY, radius=0.1))(X)
    moves = np.asarray(jax.random.uniform(KEY, (10, *SHAPE), minval=-0.1, maxval=0.1), np.float64)
    slope = lambda x: (1 - f64(x) ** 2) * W / 3
    expected = max(np.linalg.norm(slope(X + m) - slope(X)) for m in moves) / np.linalg.norm(slope(X))
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert utility_local.max_sensitivity(jnp.ones_like, jnp.asarray(X), key=KEY) == 0


@pytest.mark.parametrize("name", ["local_correlation", "mask_correlation", "faithfulness_correlation"])
def test_correlations_of_maps_that_know_nothing_are_at_chance(name):
    figure = getattr(utility_local, name)
    keys = jax.random.split(KEY, 300)
    maps = jax.random.normal(jax.random.key(9), (300, *SHAPE))
    found = np.asarray(jax.jit(jax.vmap(lambda a, key: figure(f, jnp.asarray(X), a, key=key)))(maps, keys))
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(300)
    for constant in (jnp.zeros(SHAPE), jnp.full(SHAPE, 1e-30)):
        assert np.isfinite(figure(f, jnp.asarray(X), constant, key=KEY))
    assert figure(f, jnp.asarray(X), jnp.zeros(SHAPE), key=KEY) == 0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e20])
def test_sparseness_and_entropy_against_numpy_and_scipy(scale):
    a = np.float32(A * scale)
    magnitudes = np.sort(np.abs(a.astype(np.float64)).ravel() + 1e-7)
    n = magnitudes.size
    gini = sum((2 * i - n - 1) * v for i, v in enumerate(magnitudes, 1)) / (n * magnitudes.sum())
    np.testing.assert_allclose(jax.jit(utility_shape.gini_sparseness)(a), gini, rtol=1e-5)
    shares = np.abs(a.astype(np.float64)).ravel() / np.abs(a.astype(np.float64)).sum()
    np.testing.assert_allclose(jax.jit(utility_shape.entropy)(a), scipy.stats.entropy(shares), rtol=1e-5)


def test_sparseness_and_entropy_at_their_ends():
    one, even = jnp.zeros(10).at[3].set(2.0), jnp.ones(10)
    np.testing.assert_allclose(utility_shape.gini_sparseness(one), 0.9, rtol=1e-5)
    np.testing.assert_allclose(utility_shape.gini_sparseness(even), 0.0, atol=1e-6)
    np.testing.assert_allclose(utility_shape.gini_sparseness(0 * even), 0.0, atol=1e-6)
    np.testing.assert_allclose(utility_shape.entropy(one), 0.0, atol=1e-6)
    for flat in (even, 0 * even):
        np.testing.assert_allclose(utility_shape.entropy(flat), np.log(10), rtol=1e-6)
    normal = jax.random.normal(KEY, (100_000,))
    np.testing.assert_allclose(utility_shape.gini_sparseness(normal), np.sqrt(2) - 1, atol=0.01)


def test_every_explainer_has_a_quoted_figure_with_a_reason():
    assert set(utility_quoted.FAMILY_OF) == set(EXPLAINERS)
    for name in EXPLAINERS:
        assert utility_quoted.quoted(name) in utility_quoted.FIGURES
    assert set(utility_quoted.FAMILY_OF.values()) == set(utility_quoted.QUOTED)


def test_a_loss_is_the_share_that_goes_and_its_error_that_of_repeated_draws():
    rng = np.random.default_rng(1)
    plain = 1 + 0.5 * rng.normal(size=(2000, 200))
    hardened = 0.7 * plain + 0.2 * rng.normal(size=plain.shape)
    found = jax.vmap(utility_quoted.loss)(jnp.float32(plain), jnp.float32(hardened))
    assert np.all(found.counts)
    np.testing.assert_allclose(np.mean(found.lost), 0.3, atol=0.003)
    np.testing.assert_allclose(np.mean(found.error), np.std(found.lost), rtol=0.1)


def test_nothing_is_lost_of_a_method_that_is_at_chance():
    plain = jnp.float32(np.random.default_rng(2).normal(size=200))
    found = utility_quoted.loss(plain, 0.5 * plain)
    assert not found.counts
    assert np.isnan(found.lost)
