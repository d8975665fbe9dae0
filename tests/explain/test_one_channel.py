import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import explain
from leakjax.explain.one_channel import by_products

RNG = np.random.default_rng(0)
LAYOUTS = {
    "NHWC": ((2, 9, 8, 1), ("NHWC", "HWIO", "NHWC")),
    "NCHW": ((2, 1, 9, 8), ("NCHW", "OIHW", "NCHW")),
    "CHWN": ((1, 9, 8, 2), ("CHWN", "IHWO", "NHWC")),
}


def convolved(layout, strides, padding, dilation):
    """A function with one convolution of one channel to four, by kernels of 3 x 2."""
    shape, numbers = LAYOUTS[layout]
    sides = {"H": 3, "W": 2, "I": 1, "O": 4}
    kernel = RNG.normal(size=[sides[letter] for letter in numbers[1]]).astype(np.float32)

    def fn(x):
        return jax.lax.conv_general_dilated(
            x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=numbers
        )

    return fn, RNG.normal(size=shape).astype(np.float32)


def names(fn, x):
    return str(jax.make_jaxpr(fn)(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", [(2, 0), (1, 3)]])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
def test_products_are_the_convolution(layout, strides, padding, dilation):
    fn, x = convolved(layout, strides, padding, dilation)
    other = by_products(fn, x)
    assert "conv_general_dilated" not in names(other, x)
    np.testing.assert_allclose(other(x), fn(x), atol=1e-5)


def test_convolutions_within_calls_are_found_and_rectifiers_keep_their_derivative():
    fn, x = convolved("NHWC", (1, 1), "SAME", (1, 1))
    whole = lambda x: jax.nn.relu(jax.jit(fn)(x)).sum()
    other = by_products(whole, x)
    assert "conv_general_dilated" not in names(other, x)
    zeros = jnp.zeros_like(x)  # where max(0, x) by itself has a derivative of one half
    for place in (x, zeros):
        np.testing.assert_allclose(jax.grad(other)(place), jax.grad(whole)(place), atol=1e-5)


def test_convolutions_of_several_channels_transposed_or_by_large_kernels_stay():
    two = RNG.normal(size=(1, 6, 6, 2)).astype(np.float32)
    one = two[..., :1]
    kernel = RNG.normal(size=(3, 3, 2, 4)).astype(np.float32)
    numbers = ("NHWC", "HWIO", "NHWC")
    several = lambda x: jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
    wider = lambda x: jax.lax.conv_general_dilated(
        x, kernel[:, :, :1], (1, 1), [(1, 1)] * 2, lhs_dilation=(2, 2), dimension_numbers=numbers
    )
    large = lambda x: jax.lax.conv_general_dilated(
        x, jnp.ones((6, 6, 1, 4)), (1, 1), "VALID", dimension_numbers=numbers
    )
    for fn, x in ((several, two), (wider, one), (large, one)):
        assert "conv_general_dilated" in names(by_products(fn, x), x)


def test_a_segment_without_effect_has_no_attribution():
    fn, x = convolved("NHWC", (1, 1), "VALID", (1, 1))
    blind = lambda variables, x: fn(x[None])[:, :, :3].sum((0, 1, 2))  # does not see the last columns
    segments = explain.Segments(np.broadcast_to(np.arange(8) // 4, (9, 8))[..., None], 2)
    found = explain.feature_ablation(blind)({}, x[0], 1, segments=segments)
    assert np.all(np.asarray(found)[:, 4:] == 0)
    assert np.all(np.asarray(found)[:, :4] != 0)
