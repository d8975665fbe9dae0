"""Occlusion, ablation, permutation, LIME and the Shapley family against brute force in NumPy."""

import itertools
import math

import jax
import numpy as np
import pytest
from sklearn.linear_model import Lasso, Ridge

from leakjax._validate import UsageError
from leakjax.explain import (
    Segments,
    exact_shapley,
    feature_ablation,
    feature_permutation,
    grid,
    kernel_shap,
    lime,
    occlusion,
    shapley_sampling,
    slic,
)
from leakjax.explain.masking.kernel_shap import plan_of
from leakjax.explain.masking.lime import lasso

KEY = jax.random.key(3)
BASIC_X = np.array([20.0, 50.0, 30.0], np.float32)


def basic(variables, x):
    """The 3-4-2 ReLU network of captum's tests (BasicModel_MultiLayer), its weights written out."""
    hidden = jax.nn.relu(x @ np.ones((3, 4), np.float32) + np.array([-10.0, 1, 1, 1], np.float32))
    return hidden @ np.ones((4, 2), np.float32) + np.array([-1.0, 1], np.float32)


def interacting(variables, x):
    """Products of neighbours on top of a linear part: attributions depend on coalitions."""
    flat = x.reshape(-1)
    return (flat @ variables + 2 * (flat[:-1] * flat[1:]).sum() - flat[0] * flat[-1])[None]


def rectified(variables, x):
    """A ReLU network of 12 features whose interactions are of every order."""
    first, second = variables
    return (jax.nn.relu(x @ first) @ second)[None]


def interacting_numpy(weights, x):
    flat = x.astype(np.float64).reshape(-1)
    return flat @ weights + 2 * (flat[:-1] * flat[1:]).sum() - flat[0] * flat[-1]


def run(explain, variables, x, segments=None):
    def one(variables, x, key):
        return explain(variables, x, 0, key=key, segments=segments)

    return np.asarray(jax.jit(one)(variables, x, KEY))


def shapley_by_orders(value, players):
    """Shapley values over every order of the players, from their definition."""
    total = np.zeros(players)
    for order in itertools.permutations(range(players)):
        present = np.zeros(players, bool)
        worth = value(present)
        for player in order:
            present[player] = True
            gained = value(present)
            total[player] += gained - worth
            worth = gained
    return total / math.factorial(players)


@pytest.fixture(scope="module")
def game():
    """Weights, an example of 12 features, a baseline, and the exact values of 6 segments of two features."""
    rng = np.random.default_rng(0)
    weights, x, baseline = rng.normal(size=(3, 12)).astype(np.float32)
    segments = Segments((np.arange(12) % 6).astype(np.int32), 6)

    def value(present):
        return interacting_numpy(weights, np.where(present[segments.map], x, baseline))

    return weights, x, baseline, segments, shapley_by_orders(value, 6)


def test_known_values_of_the_basic_network():
    for explain in (occlusion(basic, window=1), feature_ablation(basic)):
        np.testing.assert_allclose(run(explain, None, BASIC_X), [80, 200, 120], rtol=1e-6)
    for explain in (exact_shapley(basic), kernel_shap(basic)):
        found = run(explain, None, BASIC_X)
        np.testing.assert_allclose(found, [76.66667, 196.66667, 116.66667], rtol=1e-5)
    # Orders differ in whether a feature meets the bias of -10: with enough of them the mean is near.
    found = run(shapley_sampling(basic, samples=600), None, BASIC_X)
    np.testing.assert_allclose(found, [76.66667, 196.66667, 116.66667], atol=1)
    found = run(lime(basic, samples=4000, width=100.0, penalty=1e-3, chunk=4000), None, BASIC_X)
    np.testing.assert_allclose(found, [77, 197, 117], atol=2)


def test_exact_shapley_and_enumerated_kernel_shap_match_all_orders(game):
    weights, x, baseline, segments, exact = game
    found = run(exact_shapley(interacting, baseline=baseline), weights, x, segments)
    np.testing.assert_allclose(found, exact[segments.map], atol=2e-5)
    found = run(kernel_shap(interacting, baseline=baseline), weights, x, segments)
    np.testing.assert_allclose(found, exact[segments.map], atol=2e-5)


def test_sampled_values_approach_the_exact_ones_of_twelve_features():
    # Root mean squared errors over 20 keys, relative to the values' own, at the stated budgets. (A game of
    # pairs alone would not do: on it both pairings are exact.)
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(12, 16)).astype(np.float32), rng.normal(size=16).astype(np.float32)
    x = rng.normal(size=12).astype(np.float32)
    exact = run(exact_shapley(rectified), weights, x)
    keys = jax.random.split(KEY, 20)
    for factory, samples, bound in ((kernel_shap, 512, 0.05), (shapley_sampling, 46, 0.065)):
        explain = factory(rectified, chunk=4096, samples=samples)
        found = jax.jit(jax.vmap(lambda key, explain=explain: explain(weights, x, 0, key=key)))(keys)
        error = np.sqrt(np.mean((np.asarray(found) - exact) ** 2) / np.mean(exact**2))
        assert error < bound, (factory.__name__, error)
        assert error > bound / 4  # sampled, not enumerated
        gain = rectified(weights, x)[0]
        np.testing.assert_allclose(np.asarray(found).sum(1), gain, rtol=1e-4)


@pytest.mark.parametrize("samples", [5, 15, 25])
def test_rounding_does_not_decide_what_few_coalitions_leave_open(samples):
    # Three times the output has three times the values; in between lie other roundings.
    rng = np.random.default_rng(2)
    weights = rng.normal(size=(16, 16)).astype(np.float32), rng.normal(size=16).astype(np.float32)
    x = rng.normal(size=16).astype(np.float32)
    one = kernel_shap(rectified, samples=samples)
    three = kernel_shap(lambda weights, x: 3 * rectified(weights, x), samples=samples)
    for key in jax.random.split(KEY, 5):
        found, tripled = (explain(weights, x, 0, key=key) for explain in (one, three))
        assert np.linalg.norm(tripled / 3 - found) < 0.01 * np.linalg.norm(found)


@pytest.mark.parametrize(
    ("players", "samples"), [(2, 2), (3, 6), (4, 14), (5, 100), (7, 40), (30, 300), (784, 900)]
)
def test_the_plan_keeps_to_its_budget_and_to_the_kernel(players, samples):
    plan = plan_of(players, samples)
    assert len(plan.present) + 2 * plan.pairs <= samples
    mass = sum((players - 1) / (size * (players - size)) for size in range(1, players))
    assert plan.weights.sum() + 2 * plan.pairs * plan.weight == pytest.approx(mass)
    if samples >= 2**players - 2:
        assert len(np.unique(plan.present, axis=0)) == 2**players - 2
        sizes = plan.present.sum(1)
        kernel = [(players - 1) / (math.comb(players, s) * s * (players - s)) for s in sizes]
        np.testing.assert_allclose(plan.weights, kernel)


def test_background_rows_are_averaged(game):
    weights, x, _, segments, _ = game
    rows = np.random.default_rng(1).normal(size=(3, 12)).astype(np.float32)

    def value(present):
        return np.mean([interacting_numpy(weights, np.where(present[segments.map], x, row)) for row in rows])

    exact = shapley_by_orders(value, 6)[segments.map]
    for factory in (exact_shapley, kernel_shap):
        found = run(factory(interacting, background=rows), weights, x, segments)
        np.testing.assert_allclose(found, exact, atol=5e-5)
    ablated = [value(np.arange(6) != segment) for segment in range(6)]
    found = run(feature_ablation(interacting, background=rows), weights, x, segments)
    expected = interacting_numpy(weights, x) - np.array(ablated)[segments.map]
    np.testing.assert_allclose(found, expected, atol=5e-5)
    # With one row there is nothing to draw, and permutation is ablation with that row.
    found = run(feature_permutation(interacting, background=rows[:1]), weights, x)
    expected = run(feature_ablation(interacting, baseline=rows[0]), weights, x)
    np.testing.assert_allclose(found, expected, atol=5e-5)


def test_overlapping_windows_are_averaged():
    rng = np.random.default_rng(2)
    weights, x = rng.normal(size=50).astype(np.float32), rng.normal(size=(5, 5, 2)).astype(np.float32)
    total, count = np.zeros((5, 5, 2)), np.zeros((5, 5, 2))
    # Windows of 3 x 2 at rows 0, 2 and columns 0, 1, 2, 3.
    for top, left in itertools.product((0, 2), (0, 1, 2, 3)):
        hidden = x.copy()
        hidden[top : top + 3, left : left + 2] = 0.5
        lost = interacting_numpy(weights, x) - interacting_numpy(weights, hidden)
        total[top : top + 3, left : left + 2] += lost
        count[top : top + 3, left : left + 2] += 1
    explain = occlusion(interacting, window=(3, 2), stride=(2, 1), baseline=0.5)
    np.testing.assert_allclose(run(explain, weights, x), total / count, atol=1e-4)


def test_a_last_window_that_sticks_out_is_cut():
    weights, x = np.zeros(5, np.float32), np.arange(1.0, 6.0, dtype=np.float32)
    found = run(occlusion(interacting, window=2), weights, x)
    full = interacting_numpy(weights, x)
    lost = [full - interacting_numpy(weights, np.where(np.arange(5) // 2 == i, 0, x)) for i in range(3)]
    np.testing.assert_allclose(found, np.repeat(lost, 2)[:5], rtol=1e-5)


@pytest.mark.parametrize(("regression", "penalty"), [("ridge", 1.0), ("lasso", 0.05)])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_lime_is_the_weighted_regression_of_scikit_learn(game, regression, penalty, distance):
    weights, x, baseline, segments, _ = game
    samples = 300
    keys = [jax.random.fold_in(KEY, sample) for sample in range(1, samples)]
    present = np.stack([np.ones(6, bool), *(jax.random.bernoulli(key, 0.5, (6,)) for key in keys)])
    worth = [interacting_numpy(weights, np.where(row[segments.map], x, baseline)) for row in present]
    shown = present.sum(1)
    far, width = (
        (1 - np.sqrt(shown / 6), 0.25) if distance == "cosine" else (np.sqrt(6 - shown), 0.75 * 6**0.5)
    )
    model = Ridge(penalty) if regression == "ridge" else Lasso(penalty, tol=1e-10, max_iter=100_000)
    model.fit(present.astype(float), worth, sample_weight=np.exp(-(far**2) / (2 * width**2)))
    explain = lime(
        interacting,
        samples=samples,
        baseline=baseline,
        regression=regression,
        penalty=penalty,
        distance=distance,
    )
    found = run(explain, weights, x, segments)
    np.testing.assert_allclose(found, model.coef_[segments.map], atol=2e-4)


def test_the_lasso_meets_its_optimality_conditions():
    rng = np.random.default_rng(5)
    design = rng.normal(size=(40, 8)).astype(np.float32)
    square, product = design.T @ design / 40, design.T @ rng.normal(size=40).astype(np.float32) / 40
    found = np.asarray(jax.jit(lasso)(square, product, 0.1))
    slope = product - square @ found
    assert 0 < np.count_nonzero(found) < 8
    np.testing.assert_allclose(slope[found != 0], 0.1 * np.sign(found[found != 0]), atol=1e-5)
    assert np.all(np.abs(slope) <= 0.1 + 1e-5)


def test_chunks_change_nothing(game):
    weights, x, baseline, segments, _ = game
    for factory, options in (
        (kernel_shap, {"samples": 30}),
        (shapley_sampling, {"samples": 4}),
    ):
        found = [
            run(
                factory(interacting, baseline=baseline, chunk=chunk, **options),
                weights,
                x,
                segments,
            )
            for chunk in (5, 1000)
        ]
        np.testing.assert_allclose(*found, atol=2e-5)


def test_segment_maps():
    cells = grid((8, 6, 3), (4, 2))
    assert cells.count == 8
    np.testing.assert_array_equal(np.bincount(cells.map.ravel()), np.full(8, 6))
    images = np.zeros((2, 12, 12, 3), np.float32)
    images[0, :, 6:] = 1
    images[1, 6:] = 1
    found = slic(images, 4)
    assert found.map.shape == (2, 12, 12, 1)
    assert found.map.max() < found.count == 4
    # No superpixel crosses the edge between black and white.
    for image, labels in zip(images[..., 0], found.map[..., 0], strict=True):
        assert not set(labels[image == 0]) & set(labels[image == 1])


def test_bad_masking_options_are_named():
    x = np.zeros((4, 4, 1), np.float32)
    weights = np.zeros(16, np.float32)

    def expect(message, explain, segments=None):
        with pytest.raises(UsageError, match=message):
            explain(weights, x, 0, key=KEY, segments=segments)

    expect(r"window=\(5, 5\): must not be larger than x, \(4, 4\)", occlusion(interacting, window=5))
    expect(r"stride=\(2, 2\): must not be larger than the window", occlusion(interacting, window=1, stride=2))
    expect(r"window=0", occlusion(interacting, window=0))
    expect(
        r"segments=17: must be at most 16", exact_shapley(interacting), Segments(np.zeros((4, 4, 1), int), 17)
    )
    ablate = feature_ablation(interacting)
    expect(r"segments.map=\(3, 4, 1\): must have x's shape", ablate, Segments(np.zeros((3, 4, 1), int), 1))
    expect(r"segments.map=\(2, 2\): must lie in 0 to 1", ablate, Segments(np.full((4, 4, 1), 2), 2))
    expect(r"segments.map='float", ablate, Segments(np.zeros((4, 4, 1)), 1))
    expect(r"background=\(3, 4\)", feature_permutation(interacting, background=np.zeros((3, 4))))
    for factory in (lime, kernel_shap, shapley_sampling):
        with pytest.raises(UsageError, match="samples=0"):
            factory(interacting, samples=0)
    with pytest.raises(UsageError, match=r"cells=\(9, 9\)"):
        grid((8, 8, 1), 9)
