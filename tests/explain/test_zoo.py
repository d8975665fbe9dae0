"""Networks as users bring them, of four libraries, under every method of the registry.

Each method gives a finite map, complete or conserved where it says so, or an error that says why it does not apply.
What does not hang on the network, such as vmap over models, float64 and derivatives, is in `test_contract.py`.
"""

import functools

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from leakjax._validate import UsageError
from leakjax.explain import (
    EXPLAINERS,
    Segments,
    deeplift,
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
START = 0.1  # the baseline of every method that takes one

# Each method: the few draws it is asked for here, and what its sum is: the gain f(x) - f(START) or the value f(x),
# but for this share of the map; None where it promises nothing.
METHODS: dict[str, tuple[dict, tuple[str, float] | None]] = {
    "gradient": ({}, None),
    "input_x_gradient": ({}, None),
    "guided_backprop": ({}, None),
    "deconvnet": ({}, None),
    "gradcam": ({}, None),
    "gradcam_pp": ({}, None),
    "guided_gradcam": ({}, None),
    "deeplift": ({"baseline": START}, ("gain", 1e-5)),
    "integrated_gradients": ({"baseline": START}, ("gain", 2e-2)),
    "gradient_shap": ({"baseline": START, "samples": 2}, None),
    "lrp": ({"epsilon": 1e-9}, ("value", 1e-3)),
    "smoothgrad": ({"samples": 2}, None),
    "smoothgrad_squared": ({"samples": 2}, None),
    "vargrad": ({"samples": 2}, None),
    "occlusion": ({"baseline": START, "window": 2}, None),
    "feature_ablation": ({"baseline": START}, None),
    "feature_permutation": ({"samples": 1}, None),
    "kernel_shap": ({"baseline": START}, ("gain", 1e-4)),
    "lime": ({"baseline": START, "samples": 8}, None),
    "shapley_sampling": ({"baseline": START, "samples": 2}, ("gain", 1e-4)),
    "exact_shapley": ({"baseline": START}, ("gain", 1e-4)),
}
# A class activation map wants a layer that is an image: these networks have none, and the error says so.
NO_MAP = {
    (name, method): "finds no map over x's pixels"
    for name in ("lstm", "token transformer")
    for method in ("gradcam", "gradcam_pp", "guided_gradcam")
}

# What these networks take seconds to compile for, under methods that share their way with one that is asked always.
LONG = {"u-net", "lstm", "vit block", "token transformer"}
ALIKE = {
    "input_x_gradient",
    "smoothgrad_squared",
    "gradient_shap",
    "occlusion",
    "shapley_sampling",
    "gradcam_pp",
    "guided_gradcam",
}
CASES = [
    pytest.param(name, method, marks=[pytest.mark.slow] if name in LONG and method in ALIKE else [])
    for name in ZOO
    for method in METHODS
]


@functools.cache
def built(name):
    return ZOO[name][0]()


def cells_of(x):
    return Segments((np.arange(x.size) % 3).reshape(x.shape).astype(np.int32), 3)


@functools.cache
def explained(name, method):
    network, variables, x = built(name)
    options = dict(METHODS[method][0])
    if EXPLAINERS[method].needs_background:
        options["background"] = np.full((1, *x.shape), START, np.float32)
    explain = EXPLAINERS[method].factory(network, **options)
    if EXPLAINERS[method].masks:
        explain = functools.partial(explain, segments=cells_of(x))
    arrays, static = eqx.partition(variables, eqx.is_array)
    run = jax.jit(lambda arrays, x: explain(eqx.combine(arrays, static), x, 1, key=KEY))
    return np.asarray(run(arrays, x))


def logit(name, x):
    network, variables, _ = built(name)
    return float(network(variables, x)[1])


def test_no_method_is_forgotten():
    assert set(METHODS) == set(EXPLAINERS)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_every_method_explains_it_or_says_why_not(name, method):
    if reason := NO_MAP.get((name, method)):
        with pytest.raises(UsageError, match=reason):
            explained(name, method)
        return
    x, found = built(name)[2], explained(name, method)
    assert found.shape == (ZOO[name][1] if method in ("gradcam", "gradcam_pp") else x.shape)
    assert np.all(np.isfinite(found))
    if EXPLAINERS[method].family == "class activation":
        assert method == "guided_gradcam" or np.all(found >= 0)
    else:
        assert found.any()
    if promise := METHODS[method][1]:
        what, rough = promise
        total = found.reshape(-1)[:3].sum() if EXPLAINERS[method].masks else found.sum()
        expected = logit(name, x) - (logit(name, np.full_like(x, START)) if what == "gain" else 0.0)
        assert total == pytest.approx(expected, abs=rough * max(1.0, float(np.abs(found).sum())))


@each
def test_methods_that_mask_agree(name):
    x = built(name)[2]
    np.testing.assert_allclose(explained(name, "kernel_shap"), explained(name, "exact_shapley"), atol=1e-3)
    hidden = np.where(cells_of(x).map == 0, START, x).astype(np.float32)
    change = logit(name, x) - logit(name, hidden)
    assert explained(name, "feature_ablation").reshape(-1)[0] == pytest.approx(change, abs=1e-4)
    # One row of the background that is the baseline: the same swap.
    np.testing.assert_allclose(
        explained(name, "feature_permutation"), explained(name, "feature_ablation"), atol=1e-4
    )


def test_an_embedding_inside_a_transformer_is_complete():
    table = np.random.default_rng(2).normal(size=(11, 8)).astype(np.float32)
    block, variables, _ = of_haiku(tokens, (5, 8))
    network = lambda variables, ids: block(variables, tag(jnp.asarray(table)[ids], "embedding"))
    ids = np.array([3, 1, 4, 1, 5])
    gain = float(network(variables, ids)[1] - block(variables, jnp.zeros((5, 8)))[1])
    for factory in (deeplift, lrp, integrated_gradients):
        explain = jax.jit(functools.partial(factory(network, at="embedding"), target=1))
        found = explain(variables, ids)
        assert float(found.sum()) == pytest.approx(gain, abs=1e-3)
