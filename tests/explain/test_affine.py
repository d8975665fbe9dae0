"""The affine start of a model, and what methods save by it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.explain import integrated_gradients, kernel_shap, lime, shapley_sampling
from leakjax.explain.affine import mixture, split
from leakjax.explain.backprop.integrated import quadrature
from leakjax.explain.masking import coalitions
from leakjax.explain.segments import Segments
from leakjax.explain.types import scalar_of

RNG = np.random.default_rng(4)
DENSE = RNG.normal(size=(12, 5))
KERNEL = RNG.normal(size=(3, 3, 1, 2))
KEY = jax.random.key(2)


def dense(x):
    return jnp.tanh(x.reshape(-1) @ DENSE + 1).sum()


def convolution(x):
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    hidden = jax.lax.conv_general_dilated(
        padded[None], jnp.asarray(KERNEL), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.nn.relu((hidden - 0.2) / 3).sum()


def residual(x):
    first = jax.jit(lambda x: x.reshape(-1) @ DENSE)(x)
    return (first + jax.nn.gelu(first)).sum() + jnp.where(jnp.arange(12) > 4, x.reshape(-1), 0).max()


def attention(x):
    rows = x.reshape(4, 3)
    return jnp.tanh(jax.nn.softmax(rows @ rows.T) @ rows).sum()


def decided(x):
    flat = x.reshape(-1)
    return jnp.where(flat > 0, 2 * flat, flat / 3).sum() / (1 + flat[0] ** 2)


def masked(x):
    rows = x.reshape(4, 3)
    return (jax.nn.softmax(jnp.where(jnp.arange(3) > 0, rows, -jnp.inf)) * rows).sum()


def linear(x):
    return (x.reshape(-1) @ DENSE)[2] - 1


def constant(x):
    return jnp.ones(())


def coarse(x):
    return (x.reshape(-1).astype(jnp.bfloat16) @ DENSE.astype(jnp.bfloat16)).astype(x.dtype).sum()


def coarse_product(x):
    product = jax.lax.dot_general(
        x.reshape(-1), jnp.asarray(DENSE), (((0,), (0,)), ((), ())), preferred_element_type=jnp.bfloat16
    )
    return jnp.tanh(product.astype(x.dtype)).sum()


FUNCTIONS = [dense, convolution, residual, attention, decided, linear, constant, coarse, coarse_product]


@pytest.mark.parametrize("fn", FUNCTIONS)
def test_the_parts_are_the_function_and_the_start_is_affine(fn, x64):
    x, y = RNG.normal(size=(2, 4, 3, 1))
    model = split(fn, jnp.asarray(x))
    np.testing.assert_allclose(model.rest(model.start(x)), fn(jnp.asarray(x)), rtol=1e-12)
    slope = jax.grad(lambda x: model.rest(model.start(x)))(x)
    np.testing.assert_allclose(slope, jax.grad(fn)(x), rtol=1e-12, atol=1e-12)
    parts = jax.vmap(model.start)(np.stack([x, y]))
    mixed = model.start(0.7 * x + 0.3 * y)
    for found, expected in zip(mixture(parts, jnp.array([0.7, 0.3])), mixed, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert model.images == sum(image.size for image in mixed)


@pytest.mark.parametrize(
    ("fn", "multiplications"),
    # A dense layer of 12 x 5; each of 12 places times 9 weights times 2 channels; no precision may be lost.
    [
        (dense, 60),
        (convolution, 216),
        (residual, 60),
        (attention, 0),
        (linear, 60),
        (coarse, 0),
        (coarse_product, 0),
    ],
)
def test_multiplications_of_the_start(fn, multiplications, x64):
    assert split(fn, jnp.ones((4, 3, 1))).multiplications == multiplications


class Net(nn.Module):
    """A dense network whose first layer is much wider than what comes after it."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.gelu(nn.Dense(4)(x.reshape(-1))))


def logits_fn(variables, x):
    return Net().apply(variables, x)


@pytest.fixture(scope="module")
def world():
    """Variables, an example and segments of a 6 x 6 image, and background rows."""
    x = RNG.normal(size=(6, 6, 1)).astype(np.float32)
    segments = Segments((np.arange(36) % 4).reshape(6, 6, 1), 4)
    rows = RNG.normal(size=(3, 6, 6, 1)).astype(np.float32)
    return Net().init(KEY, x), x, segments, rows


@pytest.mark.parametrize("rows", [False, True])
def test_coalitions_are_mixed_after_the_first_layer(world, rows):
    variables, x, segments, background = world
    rows = background if rows else np.zeros((1, *x.shape), np.float32)
    game = coalitions.game_of(
        scalar_of(logits_fn, "probability"),
        variables,
        jnp.asarray(x),
        1,
        baseline=0.0,
        background=rows,
        segments=segments,
        chunk=64,
    )
    for present in np.array([[0, 0, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1]], bool):
        shown = np.where(present[segments.map], x, rows)
        expected = np.mean([jax.nn.softmax(logits_fn(variables, row))[1] for row in shown])
        np.testing.assert_allclose(game.value(jnp.asarray(present)), expected, rtol=1e-5)
    # No product with the 36 features is left in what runs for each coalition.
    for equation in jax.make_jaxpr(game.value)(jnp.ones(4, bool)).jaxpr.eqns:
        assert "36" not in str([v.aval.shape for v in equation.invars])


@pytest.mark.parametrize("method", [lime, kernel_shap, shapley_sampling])
def test_mixing_changes_no_attribution(world, method, monkeypatch):
    variables, x, segments, rows = world

    def explained():
        explain = method(logits_fn, background=rows)
        return jax.jit(lambda v, x: explain(v, x, 2, key=KEY, segments=segments))(variables, x)

    mixed = explained()
    monkeypatch.setattr(coalitions, "MIXING", 0)
    direct = explained()
    np.testing.assert_allclose(mixed, direct, atol=2e-6)


@pytest.mark.parametrize("chunk", [2, 7])
def test_integrated_gradients_are_the_weighted_gradients(world, chunk):
    variables, x, _, rows = world
    explain = integrated_gradients(logits_fn, steps=5, rule="trapezoid", baseline=rows[0], chunk=chunk)
    slope = jax.grad(lambda x: logits_fn(variables, x)[2])
    weights = np.array([0.5, 1, 1, 1, 0.5]) / 4
    total = sum(
        w * slope(rows[0] + a * (x - rows[0])) for w, a in zip(weights, np.linspace(0, 1, 5), strict=True)
    )
    np.testing.assert_allclose(explain(variables, x, 2, key=KEY), (x - rows[0]) * total, atol=1e-6)


@pytest.mark.parametrize("rule", ["trapezoid", "gauss_legendre"])
def test_what_a_model_masks_by_infinities_stays_finite(rule, x64):
    x = RNG.normal(size=(4, 3, 1))
    explain = integrated_gradients(lambda _, x: masked(x)[None], steps=5, rule=rule)
    places, weights = quadrature(rule, 5)
    slopes = [w * jax.grad(masked)(jnp.asarray(a * x)) for a, w in zip(places, weights, strict=True)]
    np.testing.assert_allclose(explain(None, x, 0, key=KEY), x * sum(slopes), rtol=1e-10)
