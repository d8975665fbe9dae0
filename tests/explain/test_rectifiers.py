"""Guided backpropagation and deconvnet know a rectifier by what it does, however it is written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from leakjax._validate import UsageError
from leakjax.explain import deconvnet, gradient, guided_backprop

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
FIRST, LAST = RNG.normal(size=(5, 6)).astype(np.float32), RNG.normal(size=(6, 2)).astype(np.float32)
X = RNG.normal(size=5).astype(np.float32)


def network(activation):
    return lambda variables, x: activation(x @ variables[0]) @ variables[1]


def both(activation):
    explainers = (guided_backprop, deconvnet)
    return [np.asarray(explain(network(activation))((FIRST, LAST), X, 1, key=KEY)) for explain in explainers]


@jax.custom_vjp
def own(h):
    return jnp.maximum(h, 0)


own.defvjp(lambda h: (own(h), h), lambda h, signal: (signal * (h > 0),))

RECTIFIERS = {
    "relu": jax.nn.relu,
    "relu6": lambda h: 2 * jax.nn.relu6(h / 2),
    "zero first": lambda h: jnp.maximum(0, h),
    "where below": lambda h: jnp.where(h < 0, 0, h),
    "product": lambda h: h * (h > 0),
    "clamp": lambda h: jax.lax.clamp(0.0, h, 60.0),
    "clip": lambda h: jnp.clip(h, 0, 50),
    "own derivative": own,
    "branch": lambda h: jax.lax.cond(h.sum() > -1e9, jax.nn.relu, jnp.sin, h),
    "half of the sum": lambda h: (h + jnp.abs(h)) / 2,
    "less its lower part": lambda h: h - jnp.minimum(h, 0),
    "mirrored": lambda h: -jnp.minimum(-h, 0),
    "scan": lambda h: jax.lax.scan(lambda c, _: (jax.nn.relu(c), None), h, None, length=1)[0],
    "remat": jax.checkpoint(jax.nn.relu),
    "half precision inside": lambda h: jnp.maximum(h.astype(jnp.bfloat16), 0).astype(jnp.float32),
}


@pytest.mark.parametrize("name", list(RECTIFIERS))
def test_a_rectifier_is_one_however_it_is_written(name):
    before, signal = X @ FIRST, LAST[:, 1]
    guided, positive = both(RECTIFIERS[name])
    rough = 2e-2 if "half precision" in name else 1e-5
    np.testing.assert_allclose(guided, FIRST @ (np.maximum(signal, 0) * (before > 0)), atol=rough)
    np.testing.assert_allclose(positive, FIRST @ np.maximum(signal, 0), atol=rough)


def test_a_square_of_a_rectifier_is_the_same_in_one_piece_and_in_two():
    apart = both(lambda h: jax.nn.relu(h) ** 2)
    whole = both(lambda h: jnp.where(h > 0, h * h, 0))
    before, signal = X @ FIRST, LAST[:, 1]
    expected = FIRST @ (2 * np.maximum(before, 0) * np.maximum(signal, 0))
    np.testing.assert_allclose(apart[0], expected, atol=1e-5)
    np.testing.assert_allclose(whole[0], expected, atol=1e-5)
    np.testing.assert_allclose(whole[1], apart[1], atol=1e-4)


def layer_norm(h):
    variance = jnp.maximum((h**2).mean() - h.mean() ** 2, 0)
    return (h - h.mean()) * jax.lax.rsqrt(variance + 1e-5)


# Of six channels, as flax's own layers of normalisation take them.
SCALES = {"params": {"scale": RNG.normal(size=6).astype(np.float32), "bias": np.ones(6, np.float32)}}
OTHERS = {
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "hard swish": jax.nn.hard_swish,
    "hard swish spelled out": lambda h: h * jnp.clip(h + 3, 0, 6) / 6,
    "leaky": jax.nn.leaky_relu,
    "hard tanh": jax.nn.hard_tanh,
    "mish": jax.nn.mish,
    "prelu": lambda h: jnp.where(h >= 0, h, h * FIRST[0, 0]),
    "gaussian": lambda h: jnp.exp(-h * h),
    "layer norm": layer_norm,
    "flax's layer norm": lambda h: nn.LayerNorm().apply(SCALES, h),
    "flax's group norm": lambda h: nn.GroupNorm(2).apply(SCALES, h[None])[0],
    "flax's group norm and gelu": lambda h: jax.nn.gelu(nn.GroupNorm(3).apply(SCALES, h[None])[0]),
    "standard deviation": lambda h: h / (jnp.sqrt(jnp.maximum(h.var(), 0)) + 1e-3),
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_what_is_no_rectifier_keeps_its_gradient(name):
    expected = gradient(network(OTHERS[name]))((FIRST, LAST), X, 1, key=KEY)
    for found in both(OTHERS[name]):
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@jax.custom_vjp
def block(h):
    return jax.nn.relu(h[::-1])[::-1]


block.defvjp(lambda h: (block(h), h), lambda h, signal: (signal * (h > 0),))


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (lambda h: h * (h > 0.5), "jumps from it, at .*test_rectifiers.py"),
        (lambda h: jnp.where(h < 0, jnp.maximum(1 + h, 0), jnp.maximum(1 - h, 0)), "on both sides"),
        (block, "has a derivative of its own and a rectifier inside"),
    ],
)
def test_what_cannot_be_decided_is_an_error(activation, message):
    with pytest.raises(UsageError, match=message):
        both(activation)


def test_a_maximum_with_a_variable_cannot_be_decided():
    def floor(variables, x):
        return jnp.maximum(x, variables).sum()[None]

    with pytest.raises(UsageError, match="not known before it runs"):
        guided_backprop(floor)(jnp.float32(0.0), X, 0, key=KEY)


def test_a_negative_scale_before_a_rectifier_is_not_its_own(x64):
    """A channel whose batch-norm scale is below 0: the signal is held back by its sign at the rectifier."""
    rng = np.random.default_rng(5)
    first, scale, shift, last = (rng.normal(size=size) for size in ((4, 6), (6,), (6,), (6, 3)))
    scale[:3] = -np.abs(scale[:3])
    x = rng.normal(size=4)
    network = lambda v, x: jax.nn.relu((x @ first) * v["scale"] + v["shift"]) @ last
    wide = (x @ first) * scale + shift
    signal = last[:, 1]
    for factory, shown in ((guided_backprop, wide > 0), (deconvnet, np.ones(6, bool))):
        expected = first @ (scale * np.where(shown & (signal > 0), signal, 0))
        found = factory(network)({"scale": scale, "shift": shift}, x, 1)
        np.testing.assert_allclose(found, expected, atol=1e-12)
