import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax.models import cnn
from leakjax.models.cnn import Cnn, max_pool
from leakjax.models.papers import CifarTanh, cifar_tanh
from leakjax.models.pooled_convolution import pooled_convolution


def plain(x, kernel, bias, activation="relu"):
    numbers = ("NHWC", "HWIO", "NHWC")
    out = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
    return max_pool({"relu": jax.nn.relu, "tanh": jnp.tanh}[activation](out + bias[None, None, None]))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (11, 9, 7, 3), (2, 6, 10, 16), (17, 9, 7, 8)])
def test_values_and_gradients_are_those_of_the_plain_layers(x64, shape, size, activation):
    generator = np.random.default_rng(0)
    arguments = [generator.normal(size=each) for each in (shape, (size, size, shape[-1], 5), (5,))]
    got, pull = jax.vjp(jax.jit(lambda *arrays: pooled_convolution(*arrays, activation)), *arguments)
    want, pull_plain = jax.vjp(lambda *arrays: plain(*arrays, activation), *arguments)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    change = generator.normal(size=got.shape)
    for ours, theirs in zip(pull(change), pull_plain(change), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("channels", [2, 8])  # by windows, by the library
def test_models_of_an_ensemble_each_have_their_own(x64, channels):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(2, 3, 6, 6, channels))
    kernel, bias = generator.normal(size=(2, 3, 3, channels, 4)), generator.normal(size=(2, 4))

    def gradient(layer):
        return jax.vmap(jax.grad(lambda k, x, b: (layer(x, k, b) ** 2).sum()))(kernel, x, bias)

    np.testing.assert_allclose(gradient(pooled_convolution), gradient(plain), rtol=1e-10)


@pytest.mark.parametrize(
    ("model", "module"), [(cnn(3, channels=(4, 5)), Cnn(3, (4, 5))), (cifar_tanh(3), CifarTanh(3))]
)
def test_a_network_trains_by_windows_and_is_observed_by_what_explainers_can_take_apart(model, module):
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
    variables = jax.jit(model.init)(jax.random.key(1), x[0])
    logits, _ = jax.jit(model.train_fn)(variables, x, jax.random.key(2))
    np.testing.assert_allclose(logits, module.apply(variables, x), rtol=1e-4, atol=1e-5)
    _, slope = jax.jvp(lambda x: model.logits_fn(variables, x), (x[0],), (jnp.ones_like(x[0]),))
    assert np.isfinite(slope).all()
