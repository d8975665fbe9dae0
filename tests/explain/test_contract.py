"""What every explainer promises, each a row of EXPLAINERS."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import EXPLAINERS, batched

SHAPE = (6, 6, 2)
POINTS = 5
MODELS = 2
OPTIONS: dict[str, dict] = {}


def logits_fn(variables, x):
    """A small network with a convolution, a pooling and a dense layer."""
    hidden = jax.lax.conv_general_dilated(
        x[None], variables["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    hidden = jax.nn.relu(hidden + variables["bias"].reshape(1, 1, 1, -1))
    hidden = jax.lax.reduce_window(hidden, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
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


def explainer_named(name):
    return EXPLAINERS[name].factory(logits_fn, **OPTIONS.get(name, {}))


TARGETS = np.array([0, 1, 2, 1, 0])
IDS = np.array([11, 3, 250, 4, 70])
KEY_SEED = 5

each = pytest.mark.parametrize("name", list(EXPLAINERS))


@pytest.fixture(scope="module")
def explained():
    """Attributions of the batch under each method, each computed once."""
    found: dict[str, tuple] = {}

    def of(name):
        if name not in found:
            run = batched(explainer_named(name))
            found[name] = (
                run,
                np.asarray(run(variables_of(0), examples(), TARGETS, key=jax.random.key(KEY_SEED), ids=IDS)),
            )
        return found[name]

    return of


@each
def test_shape_and_dtype(name, explained):
    _, maps = explained(name)
    shape = (*SHAPE[:-1], 1) if EXPLAINERS[name].family == "class activation" else SHAPE
    assert maps.shape == (POINTS, *shape)
    assert maps.dtype == np.float32
    assert np.all(np.isfinite(maps))
    assert np.any(maps != 0)


@each
def test_single_equals_batch(name, explained):
    _, maps = explained(name)
    one = explainer_named(name)(
        variables_of(0), examples()[2], 2, key=jax.random.fold_in(jax.random.key(KEY_SEED), 250)
    )
    np.testing.assert_allclose(one, maps[2], atol=1e-6 * max(1, np.abs(maps[2]).max()))


@each
def test_neighbours_and_order_change_nothing(name, explained):
    run, maps = explained(name)
    order = [3, 0, 4, 1, 2]
    xs = examples()
    xs[0] += 1  # a neighbour of the others, itself left out of the comparison
    again = run(variables_of(0), xs[order], TARGETS[order], key=jax.random.key(KEY_SEED), ids=IDS[order])
    scale = np.abs(maps).max()
    for place, point in enumerate(order):
        if point:
            np.testing.assert_allclose(again[place], maps[point], atol=2e-6 * scale)


@each
def test_key_decides_the_noise(name, explained):
    run, maps = explained(name)
    same = run(variables_of(0), examples(), TARGETS, key=jax.random.key(KEY_SEED), ids=IDS)
    other = run(variables_of(0), examples(), TARGETS, key=jax.random.key(KEY_SEED + 1), ids=IDS)
    np.testing.assert_array_equal(same, maps)
    assert np.array_equal(other, maps) != EXPLAINERS[name].stochastic


@each
def test_an_ensemble_vmaps_and_compiles_once(name, explained):
    _, maps = explained(name)
    explain = explainer_named(name)
    traces = []

    @jax.jit
    def ensemble(stacked, xs, targets, keys):
        traces.append(name)

        def one(variables, x, target, key):
            return explain(variables, x, target, key=key)

        over_points = jax.vmap(one, in_axes=(None, 0, 0, 0))
        return jax.vmap(over_points, in_axes=(0, None, None, None))(stacked, xs, targets, keys)

    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), variables_of(0), variables_of(1))
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(KEY_SEED), IDS)
    both = ensemble(stacked, examples(), TARGETS, keys)
    both = ensemble(stacked, examples(), TARGETS, keys)
    assert len(traces) == 1
    assert both.shape[0] == MODELS
    np.testing.assert_allclose(both[0], maps, atol=5e-6 * np.abs(maps).max())
    assert not np.allclose(both[1], maps)


@each
def test_float64(name, x64, explained):
    found = explainer_named(name)(
        variables_of(0, np.float64), examples(np.float64)[2], 2, key=jax.random.key(KEY_SEED)
    )
    assert found.dtype == np.float64
    assert np.all(np.isfinite(found))


@each
def test_bad_input_is_named(name):
    explain = explainer_named(name)
    key = jax.random.key(0)
    with pytest.raises(UsageError, match=r"target=3: must be a class, 0 to 2"):
        explain(variables_of(0), examples()[0], 3, key=key)
    spoilt = examples()[0]
    spoilt[0, 0, 0] = np.nan
    with pytest.raises(UsageError, match=r"x='non-finite'"):
        explain(variables_of(0), spoilt, 0, key=key)
    with pytest.raises(UsageError, match=r"x='int32': must be of a floating type"):
        explain(variables_of(0), np.zeros(SHAPE, np.int32), 0, key=key)
    with pytest.raises(UsageError, match=r"output='logits'.*did you mean 'logit'"):
        EXPLAINERS[name].factory(logits_fn, **{**OPTIONS.get(name, {}), "output": "logits"})


@each
def test_a_traced_target_outside_the_classes_is_never_an_explanation(name, explained):
    run, _ = explained(name)
    wrong = np.array([0, 3, -1, 1, 0])
    maps = np.asarray(run(variables_of(0), examples(), wrong, key=jax.random.key(0), ids=IDS))
    bad = ~np.isfinite(maps).all((1, 2, 3))
    np.testing.assert_array_equal(bad, [False, True, True, False, False])


@each
def test_the_cost_is_a_positive_count(name):
    assert EXPLAINERS[name].evaluations(SHAPE) >= 1
