"""What every explainer promises, each a row of EXPLAINERS."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import EXPLAINERS, batched, grid

SHAPE = (6, 6, 2)
POINTS = 5
BACKGROUND = np.random.default_rng(8).uniform(size=(4, *SHAPE))
OPTIONS: dict[str, dict] = {
    "integrated_gradients": {"steps": 5},
    "smoothgrad": {"samples": 5},
    "smoothgrad_squared": {"samples": 5},
    "vargrad": {"samples": 5},
    "gradient_shap": {"samples": 5},
    "feature_permutation": {"background": BACKGROUND, "samples": 3},
    "shapley_sampling": {"samples": 3},
    "lime": {"samples": 64},
    "kernel_shap": {"samples": 64},
}
CELLS = grid(SHAPE, 3)
TARGETS = np.array([0, 1, 2, 1, 0])
IDS = np.array([11, 3, 250, 4, 70])
KEY = 5

each = pytest.mark.parametrize("name", list(EXPLAINERS))


def logits_fn(variables, x):
    """A small network with a convolution, a pooling and a dense layer."""
    hidden = jax.lax.conv_general_dilated(
        x[None], variables["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    hidden = jax.nn.relu(hidden + variables["bias"].reshape(1, 1, 1, -1))
    hidden = jax.lax.reduce_window(hidden, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return hidden.reshape(-1) @ variables["dense"]


def variables_of(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return {
        "kernel": rng.normal(size=(3, 3, 2, 4)).astype(dtype) / 3,
        "bias": rng.normal(size=4).astype(dtype) / 3,
        "dense": rng.normal(size=(36, 3)).astype(dtype),
    }


def examples(dtype=np.float32):
    return np.random.default_rng(9).uniform(size=(POINTS, *SHAPE)).astype(dtype)


def explainer_named(name, fn=logits_fn):
    """The method on the network; surrogates on segments, which exact Shapley values need."""
    explain = EXPLAINERS[name].factory(fn, **OPTIONS.get(name, {}))
    if EXPLAINERS[name].family != "surrogate":
        return explain
    return lambda *example, key, segments: explain(*example, key=key, segments=CELLS)


class Run:
    """A compiled method and its attributions of the batch."""

    def __init__(self, name):
        self.batched = batched(explainer_named(name))
        self.maps = self()

    def __call__(self, order=slice(None), xs=None, targets=TARGETS, key=KEY):
        xs = examples() if xs is None else xs
        found = self.batched(
            variables_of(0), xs[order], targets[order], key=jax.random.key(key), ids=IDS[order]
        )
        return np.asarray(found)


@pytest.fixture(scope="module")
def run_of():
    """The run of a method by name, compiled once for all tests."""
    runs: dict[str, Run] = {}

    def find(name):
        if name not in runs:
            runs[name] = Run(name)
        return runs[name]

    return find


@each
def test_shape_and_dtype(name, run_of):
    maps = run_of(name).maps
    shape = (*SHAPE[:-1], 1) if name in ("gradcam", "gradcam_pp") else SHAPE
    assert maps.shape == (POINTS, *shape)
    assert maps.dtype == np.float32
    assert np.all(np.isfinite(maps))
    assert np.any(maps != 0)


@each
def test_single_equals_batch(name, run_of):
    key = jax.random.fold_in(jax.random.key(KEY), IDS[2])
    explain = jax.jit(explainer_named(name), static_argnames="segments")
    one = explain(variables_of(0), examples()[2], TARGETS[2], key=key, segments=None)
    expected = run_of(name).maps[2]
    np.testing.assert_allclose(one, expected, atol=1e-6 * max(1, np.abs(expected).max()))


@each
def test_neighbours_and_order_change_nothing(name, run_of):
    order = np.array([3, 0, 4, 1, 2])
    xs = examples()
    xs[0] += 1  # a neighbour of the others, itself left out of the comparison
    again = run_of(name)(order, xs)
    expected = run_of(name).maps[order]
    np.testing.assert_allclose(again[order != 0], expected[order != 0], atol=2e-6 * np.abs(expected).max())


@each
def test_the_key_decides_the_noise(name, run_of):
    run = run_of(name)
    np.testing.assert_array_equal(run(), run.maps)
    assert np.array_equal(run(key=KEY + 1), run.maps) != EXPLAINERS[name].stochastic


@each
def test_an_ensemble_vmaps_and_compiles_once(name, run_of):
    explain = explainer_named(name)
    traces = []

    @jax.jit
    def ensemble(stacked, xs, targets, keys):
        traces.append(name)

        def one(variables, x, target, key):
            return explain(variables, x, target, key=key, segments=None)

        over_points = jax.vmap(one, in_axes=(None, 0, 0, 0))
        return jax.vmap(over_points, in_axes=(0, None, None, None))(stacked, xs, targets, keys)

    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), variables_of(0), variables_of(1))
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(KEY), IDS)
    both = ensemble(stacked, examples(), TARGETS, keys)
    both = ensemble(stacked, examples(), TARGETS, keys)
    assert len(traces) == 1
    np.testing.assert_allclose(both[0], run_of(name).maps, atol=5e-6 * np.abs(both[0]).max())
    assert not np.allclose(both[1], both[0])


@each
def test_float64(name, x64, run_of):
    explain = jax.jit(explainer_named(name), static_argnames="segments")
    x = examples(np.float64)[2]
    found = explain(variables_of(0, np.float64), x, TARGETS[2], key=jax.random.key(KEY), segments=None)
    assert found.dtype == np.float64
    assert np.all(np.isfinite(found))


@each
def test_no_lapack(name):
    # On several CPU devices its batched calls wait for each other for ever (jax 0.10.2).
    explain = jax.jit(explainer_named(name), static_argnames="segments")
    lowered = explain.lower(variables_of(0), examples()[0], 1, key=jax.random.key(KEY), segments=None)
    assert "lapack" not in lowered.as_text()


@each
def test_bad_input_is_named(name):
    explain, x = explainer_named(name), examples()[0]

    def expect(message, x, target):
        with pytest.raises(UsageError, match=message):
            explain(variables_of(0), x, target, key=jax.random.key(0), segments=None)

    expect(r"target=3: must be a class, 0 to 2", x, 3)
    expect(r"x='non-finite'", np.where(x == x.max(), np.nan, x), 0)
    expect(r"x='int32': must be of a floating type", np.zeros(SHAPE, np.int32), 0)
    with pytest.raises(UsageError, match=r"output='logits'.*did you mean 'logit'"):
        EXPLAINERS[name].factory(logits_fn, **{**OPTIONS.get(name, {}), "output": "logits"})


@each
def test_a_traced_target_outside_the_classes_is_never_an_explanation(name, run_of):
    maps = run_of(name)(targets=np.array([0, 3, -1, 1, 0]))
    np.testing.assert_array_equal(np.isfinite(maps).all((1, 2, 3)), [True, False, False, True, True])


@each
def test_the_cost_is_a_positive_count(name):
    assert EXPLAINERS[name].runs(SHAPE, CELLS.count, **OPTIONS.get(name, {})) >= 1


@each
def test_a_traced_example_that_is_not_finite_is_never_explained(name):
    explain = explainer_named(name)
    xs = examples()[:3]
    xs[0, 2, 3, 1], xs[1, 0, 0, 0] = np.nan, np.inf

    @jax.jit
    def all_of_them(xs):
        key = jax.random.key(KEY)
        return jax.vmap(lambda x: explain(variables_of(0), x, 1, key=key, segments=None))(xs)

    np.testing.assert_array_equal(np.isfinite(all_of_them(xs)).all((1, 2, 3)), [False, False, True])


@each
def test_attributions_can_be_differentiated(name, x64):
    # Behind a tanh, so that gradients too change with the example.
    explain = explainer_named(name, lambda variables, x: jnp.tanh(logits_fn(variables, x) / 4))
    x, variables = examples(np.float64)[0], variables_of(0, np.float64)

    @jax.jit
    def total(x):
        return (explain(variables, x, 1, key=jax.random.key(KEY), segments=None) ** 2).sum()

    along = np.random.default_rng(3).normal(size=SHAPE)
    change = (total(x + 1e-6 * along) - total(x - 1e-6 * along)) / 2e-6
    slope = (jax.jit(jax.grad(total))(x) * along).sum()
    assert abs(change) > 1e-6
    np.testing.assert_allclose(slope, change, rtol=1e-5)
