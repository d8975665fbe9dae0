"""Networks as users bring them, of four libraries: complete where a method says so, conserved under LRP, mapped."""

import functools

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from leakjax.explain import (
    EXPLAINERS,
    Segments,
    completeness,
    deeplift,
    gradcam,
    integrated_gradients,
    lrp,
    tag,
)

KEY = jax.random.key(0)


class ResNet(nn.Module):
    """Two convolutions with batch-norm and a short cut, a mean over the image, a dense layer."""

    @nn.compact
    def __call__(self, x):
        first = nn.relu(nn.Conv(4, (3, 3), use_bias=False)(x))
        h = nn.relu(nn.BatchNorm(use_running_average=True)(nn.Conv(4, (3, 3), use_bias=False)(first)))
        h = nn.relu(first + nn.Conv(4, (3, 3), use_bias=False)(h))
        return nn.Dense(3, use_bias=False)(h.mean((0, 1)))


class Unet(nn.Module):
    """Down, up by a resize, joined with what was before, a mean over the image."""

    @nn.compact
    def __call__(self, x):
        first = nn.gelu(nn.Conv(4, (3, 3), use_bias=False)(x))
        low = nn.gelu(nn.Conv(6, (3, 3), use_bias=False)(nn.avg_pool(first, (2, 2), (2, 2))))
        up = jax.image.resize(low, (*first.shape[:2], 6), "linear")
        h = nn.relu(nn.Conv(4, (3, 3), use_bias=False)(jnp.concatenate([first, up], -1)))
        return nn.Dense(3, use_bias=False)(h.mean((0, 1)))


class Recurrent(nn.Module):
    """An LSTM over a series."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, use_bias=False)(nn.RNN(nn.OptimizedLSTMCell(5))(x[None])[0, -1])


class Mobile(eqx.Module):
    """MobileNetV2's block, channels first: wide by 1 x 1, by channel, narrow again, and a short cut."""

    layers: list
    head: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 4)
        conv = lambda a, b, size, groups, key: eqx.nn.Conv2d(
            a, b, size, padding=size // 2, groups=groups, use_bias=False, key=key
        )
        self.layers = [conv(3, 6, 1, 1, keys[0]), conv(6, 6, 3, 6, keys[1]), conv(6, 3, 1, 1, keys[2])]
        self.head = eqx.nn.Linear(3, 3, use_bias=False, key=keys[3])

    def __call__(self, x):
        h = jax.nn.relu6(self.layers[0](x))
        h = jax.nn.relu6(self.layers[1](h))
        return self.head((x + self.layers[2](h)).mean((1, 2)))


class Vit(nnx.Module):
    """Patches by a convolution, one block of attention and a perceptron, each after a layer norm."""

    def __init__(self, rngs):
        self.patch = nnx.Conv(2, 8, (2, 2), strides=2, padding="VALID", use_bias=False, rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(8, rngs=rngs) for _ in range(2)])
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, use_bias=False, rngs=rngs)
        self.wide = nnx.Linear(8, 16, use_bias=False, rngs=rngs)
        self.narrow = nnx.Linear(16, 8, use_bias=False, rngs=rngs)
        self.head = nnx.Linear(8, 3, use_bias=False, rngs=rngs)

    def __call__(self, x):
        h = self.patch(x[None])[0].reshape(-1, 8)
        h = h + self.attention(self.norms[0](h))
        h = h + self.narrow(nnx.gelu(self.wide(self.norms[1](h))))
        return self.head(h.mean(0))


def tokens(x):
    """A causal block of attention over embeddings."""
    h = x + hk.MultiHeadAttention(2, 4, w_init=hk.initializers.VarianceScaling(1.0), with_bias=False)(x, x, x)
    return hk.Linear(3, with_bias=False)(jax.nn.silu(hk.Linear(8, with_bias=False)(h)).mean(0))


def of_linen(model, shape):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return model.apply, jax.jit(model.init)(KEY, x), x


def of_equinox(model, shape):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return lambda variables, x: variables(x), model, x


def of_nnx(model, shape):
    graph, state = nnx.split(model)
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return lambda variables, x: nnx.merge(graph, variables)(x), state, x


def of_haiku(function, shape):
    network = hk.without_apply_rng(hk.transform(function))
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return network.apply, network.init(KEY, x), x


class Convolutional(eqx.Module):
    """A convolution over any number of axes, channels first, and a mean over them."""

    layer: eqx.nn.Conv
    head: eqx.nn.Linear

    def __init__(self, rank, key):
        self.layer = eqx.nn.Conv(rank, 2, 4, 3, padding=1, use_bias=False, key=key)
        self.head = eqx.nn.Linear(4, 3, use_bias=False, key=key)

    def __call__(self, x):
        h = jax.nn.leaky_relu(self.layer(x))
        return self.head(h.mean(tuple(range(1, h.ndim))))


ZOO = {
    "resnet block": (lambda: of_linen(ResNet(), (6, 6, 2)), (6, 6, 1)),
    "u-net": (lambda: of_linen(Unet(), (8, 8, 2)), (8, 8, 1)),
    "lstm": (lambda: of_linen(Recurrent(), (4, 3)), None),
    "mobilenet block": (lambda: of_equinox(Mobile(KEY), (3, 6, 6)), (1, 6, 6)),
    "vit block": (lambda: of_nnx(Vit(nnx.Rngs(0)), (6, 6, 2)), (6, 6, 1)),
    "token transformer": (lambda: of_haiku(tokens, (5, 8)), None),
    "1-D convolution": (lambda: of_equinox(Convolutional(1, KEY), (2, 9)), (1, 9)),
    "3-D convolution": (lambda: of_equinox(Convolutional(3, KEY), (2, 4, 5, 3)), (1, 4, 5, 3)),
}
each = pytest.mark.parametrize("name", list(ZOO))


def run(explain, variables, x):
    arrays, static = eqx.partition(variables, eqx.is_array)
    return np.asarray(jax.jit(lambda a, x: explain(eqx.combine(a, static), x, 1, key=KEY))(arrays, x))


@each
def test_differences_are_complete(name):
    network, variables, x = ZOO[name][0]()
    for factory, rough in ((deeplift, 1e-5), (integrated_gradients, 2e-2)):
        found = run(factory(network, baseline=0.1), variables, x)
        residual = completeness(network, variables, x, 1, found, baseline=0.1)
        assert abs(float(residual)) < rough * max(1.0, np.abs(found).sum()), factory


@each
def test_relevance_is_conserved(name):
    network, variables, x = ZOO[name][0]()
    found = run(lrp(network, epsilon=1e-9), variables, x)
    total = float(network(variables, x)[1])
    assert found.sum() == pytest.approx(total, rel=1e-3, abs=1e-4)


@each
def test_every_method_that_applies_explains_it(name):
    (build, shape) = ZOO[name]
    network, variables, x = build()
    for method in ("gradient", "guided_backprop", "deconvnet", "smoothgrad", "vargrad"):
        options = {"samples": 2} if method in ("smoothgrad", "vargrad") else {}
        found = run(EXPLAINERS[method].factory(network, **options), variables, x)
        assert found.shape == x.shape
        assert np.all(np.isfinite(found))
        assert found.any()
    if shape is not None:
        found = run(gradcam(network), variables, x)
        assert found.shape == shape
        assert np.all(found >= 0)


@each
def test_methods_that_mask_agree_and_are_complete(name):
    network, variables, x = ZOO[name][0]()
    cells = Segments((np.arange(x.size) % 3).reshape(x.shape).astype(np.int32), 3)
    gain = float(network(variables, x)[1] - network(variables, np.zeros_like(x))[1])
    by_method = {"exact_shapley": {}, "kernel_shap": {}, "lime": {"samples": 8}, "feature_ablation": {}}
    found = {}
    for method, options in by_method.items():
        explain = functools.partial(EXPLAINERS[method].factory(network, **options), segments=cells)
        found[method] = run(explain, variables, x)
        assert found[method].shape == x.shape
        assert np.all(np.isfinite(found[method]))
    for method in ("exact_shapley", "kernel_shap"):
        assert found[method].reshape(-1)[:3].sum() == pytest.approx(gain, abs=1e-4)
    np.testing.assert_allclose(found["kernel_shap"], found["exact_shapley"], atol=1e-3)
    hidden = np.where(cells.map == 0, 0, x).astype(np.float32)
    change = float(network(variables, x)[1] - network(variables, hidden)[1])
    assert found["feature_ablation"].reshape(-1)[0] == pytest.approx(change, abs=1e-4)


def test_an_embedding_inside_a_transformer_is_complete():
    table = np.random.default_rng(2).normal(size=(11, 8)).astype(np.float32)
    block, variables, _ = of_haiku(tokens, (5, 8))
    network = lambda variables, ids: block(variables, tag(jnp.asarray(table)[ids], "embedding"))
    ids = np.array([3, 1, 4, 1, 5])
    gain = float(network(variables, ids)[1] - block(variables, jnp.zeros((5, 8)))[1])
    for factory in (deeplift, lrp, integrated_gradients):
        found = factory(network, at="embedding")(variables, ids, 1)
        assert float(found.sum()) == pytest.approx(gain, abs=1e-3)
