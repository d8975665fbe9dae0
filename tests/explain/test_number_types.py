"""Networks of whole numbers, as after quantisation, and of half precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import EXPLAINERS, deeplift, lrp

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
FIRST = RNG.integers(-100, 100, size=(6, 8)).astype(np.int8)
LAST = RNG.integers(-100, 100, size=(8, 3)).astype(np.int8)
KERNEL = RNG.integers(-100, 100, size=(3, 3, 1, 4)).astype(np.int8)
OF_MAP = RNG.integers(-100, 100, size=(16, 3)).astype(np.int8)
UNIT = 0.02  # that one step of an activation and of a weight stands for


def quantised(h):
    return jnp.clip(jnp.round(h / UNIT), -127, 127).astype(jnp.int8)


def product(a, b):
    return jax.lax.dot_general(a, b, (((0,), (0,)), ((), ())), preferred_element_type=jnp.int32)


def dense(variables, x):
    h = jnp.maximum(product(quantised(x), jnp.asarray(FIRST)), 0)
    return product(quantised(h * UNIT**2), jnp.asarray(LAST)).astype(jnp.float32) * UNIT**2


def convolved(variables, x):
    """A convolution, a rectifier and a pooling of whole numbers, and their rows read in another order."""
    h = jax.lax.conv_general_dilated(
        quantised(x)[None],
        jnp.asarray(KERNEL),
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        preferred_element_type=jnp.int32,
    )[0]
    h = jnp.maximum(h, 0).reshape(2, 2, 2, 2, 4).max((1, 3)).reshape(-1)[::-1] + 3
    return product(quantised(h * UNIT**2), jnp.asarray(OF_MAP)).astype(jnp.float32) * UNIT**2


@pytest.mark.parametrize(("network", "shape"), [(dense, (6,)), (convolved, (6, 6, 1))])
def test_deeplift_of_whole_numbers_is_complete(network, shape):
    x, baseline = RNG.normal(size=(2, *shape)).astype(np.float32)
    found = deeplift(network, baseline=baseline)(None, x, 1)
    gain = float(network(None, x)[1] - network(None, baseline)[1])
    assert abs(gain) > 0.1
    assert float(found.sum()) == pytest.approx(gain, rel=1e-4)


def test_lrp_says_where_whole_numbers_end_it():
    with pytest.raises(UsageError, match=r"'convert_element_type': ends what lrp follows, at .*quantised"):
        lrp(dense)(None, np.ones(6, np.float32), 1)


def curved(variables, x):
    return jax.nn.softplus(x.reshape(-1) @ variables[0]) @ variables[1]


# Spreads of gradients take in the rounding of the gradients themselves.
ROUGH = {"vargrad": 0.8, "smoothgrad_squared": 0.1}
INPUTS = [name for name, row in EXPLAINERS.items() if row.family != "class activation"]


@pytest.mark.parametrize("narrow", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", INPUTS)
def test_half_precision_gives_what_float32_gives_but_for_rounding(name, narrow):
    rng = np.random.default_rng(1)
    arrays = {"x": (3, 2), "first": (6, 8), "last": (8, 3), "background": (1, 3, 2)}
    arrays = {key: rng.normal(size=shape).astype(np.float32) for key, shape in arrays.items()}
    found = {}
    for dtype in (narrow, jnp.float32):
        of = {key: jnp.asarray(jnp.asarray(value, narrow), dtype) for key, value in arrays.items()}
        options = {"background": of["background"]} if name == "feature_permutation" else {}
        explain = EXPLAINERS[name].factory(curved, **options)
        found[dtype] = jax.jit(lambda v, x, explain=explain: explain(v, x, 1, key=KEY))(
            (of["first"], of["last"]), of["x"]
        )
        assert found[dtype].dtype == dtype
    half, full = (np.asarray(value, np.float64) for value in found.values())
    np.testing.assert_allclose(half, full, atol=ROUGH.get(name, 0.05) * np.abs(full).max())


def seen(variables, x):
    """A convolution over an image of two channels, a rectifier and a dense layer."""
    h = jax.lax.conv_general_dilated(
        x[None], variables[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.nn.relu(h).reshape(-1) @ variables[1]


@pytest.mark.parametrize("narrow", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", [name for name in EXPLAINERS if name not in INPUTS])
def test_class_activation_maps_in_half_precision(name, narrow):
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) / 4 for shape in ((3, 3, 2, 4), (144, 3), (6, 6, 2))]
    found = []
    for dtype in (narrow, jnp.float32):
        *variables, x = (jnp.asarray(jnp.asarray(value, narrow), dtype) for value in arrays)
        explain = EXPLAINERS[name].factory(seen)
        found.append(jax.jit(lambda v, x, explain=explain: explain(v, x, 1))(variables, x))
        assert found[-1].dtype == dtype
    half, full = (np.asarray(value, np.float64) for value in found)
    np.testing.assert_allclose(half, full, atol=0.05 * np.abs(full).max())
