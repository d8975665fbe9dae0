"""Class activation maps find the map that they say they do, whatever the model's layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from leakjax._validate import UsageError
from leakjax.explain import gradcam, gradcam_pp, grid, guided_gradcam, occlusion, tag

KEY = jax.random.key(0)
LAYOUTS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
KERNELS = {1: "WIO", 2: "HWIO", 3: "DHWIO"}


def convolve(x, kernel):
    """A convolution that keeps the shape of an example [places ..., channels]."""
    rank = x.ndim - 1
    numbers = (LAYOUTS[rank], KERNELS[rank], LAYOUTS[rank])
    return jax.lax.conv_general_dilated(x[None], kernel, (1,) * rank, "SAME", dimension_numbers=numbers)[0]


def convolved(x, kernel):
    """The same in NumPy, float64."""
    planes = [
        sum(correlate(x[..., i], kernel[..., i, o], "same") for i in range(kernel.shape[-2]))
        for o in range(kernel.shape[-1])
    ]
    return np.stack(planes, -1)


def silu(h):
    return h / (1 + np.exp(-h))


def cam_of(activation, dense):
    """GradCAM where a dense layer [places ..., channels] takes the activation."""
    weights = dense.reshape(activation.shape).mean(tuple(range(activation.ndim - 1)))
    return np.maximum(activation @ weights, 0)


class Twice:
    """Two convolutions, each before the same activation, then a dense layer; for any number of axes."""

    def __init__(self, shape, seed=0):
        rng = np.random.default_rng(seed)
        rank, channels = len(shape) - 1, shape[-1]
        self.kernels = rng.normal(size=(2, *(3,) * rank, channels, channels)) / 3**rank
        self.dense = rng.normal(size=(int(np.prod(shape)), 2))
        self.x = rng.normal(size=shape)

    def __call__(self, variables, x, act=jax.nn.silu):
        for kernel in self.kernels:
            x = tag(act(convolve(x, kernel.astype(np.float32))), "block")
        return x.reshape(-1) @ self.dense.astype(np.float32)

    def activations(self):
        first = silu(convolved(self.x, self.kernels[0]))
        return first, silu(convolved(first, self.kernels[1]))

    def cam(self):
        return cam_of(self.activations()[1], self.dense[:, 1])


def run(explain, x, target=1):
    return np.asarray(jax.jit(lambda x: explain(None, x, target, key=KEY))(np.asarray(x, np.float32)))


@pytest.mark.parametrize("shape", [(12, 3), (6, 5, 3), (4, 5, 3, 2)])
def test_an_activation_that_is_called_twice_on_one_shape_is_read_at_its_last_call(shape):
    network = Twice(shape)
    np.testing.assert_allclose(run(gradcam(network), network.x)[..., 0], network.cam(), atol=2e-6)


@pytest.mark.parametrize("act", ["leaky_relu", "elu", "softplus", "gelu", "relu", "silu"])
def test_every_activation_may_be_called_twice(act):
    network, function = Twice((6, 5, 3)), getattr(jax.nn, act)
    network.dense = np.abs(network.dense)
    once = [lambda h: function(h), lambda h: function(h) + 0.0]

    def apart(variables, x):
        for kernel, own in zip(network.kernels, once, strict=True):
            x = own(convolve(x, kernel.astype(np.float32)))
        return tag(x, "last").reshape(-1) @ network.dense.astype(np.float32)

    found = run(gradcam(lambda v, x: network(v, x, function)), network.x)
    np.testing.assert_allclose(found, run(gradcam(apart, layer="last"), network.x), atol=1e-6)
    assert found.max() > 0


def test_one_call_of_a_tag_is_named_by_its_number():
    network = Twice((6, 5, 3))
    with pytest.raises(
        UsageError, match=r"layer='block': is the tag of 2 calls; name one, block\[0\] to block\[1\]"
    ):
        run(gradcam(network, layer="block"), network.x)
    np.testing.assert_allclose(
        run(gradcam(network, layer="block[1]"), network.x)[..., 0], network.cam(), atol=2e-6
    )
    assert not np.allclose(
        run(gradcam(network, layer="block[0]"), network.x), run(gradcam(network), network.x)
    )


def test_convolutions_in_a_scan_are_found():
    network = Twice((6, 5, 3))

    def scanned(variables, x):
        step = lambda h, kernel: (jax.nn.silu(convolve(h, kernel)), None)
        h, _ = jax.lax.scan(step, x, network.kernels.astype(np.float32))
        return h.reshape(-1) @ network.dense.astype(np.float32)

    np.testing.assert_allclose(run(gradcam(scanned), network.x)[..., 0], network.cam(), atol=2e-6)


@pytest.mark.parametrize("method", [gradcam, gradcam_pp, guided_gradcam])
def test_channels_may_come_first(method):
    network = Twice((6, 5, 3))
    turned = lambda variables, x: _channels_first(network, x)
    found = run(method(turned), np.moveaxis(network.x, -1, 0))
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), run(method(network), network.x), atol=2e-6)
    assert np.abs(found).max() > 0


def _channels_first(network, x):
    for kernel in network.kernels:
        numbers = ("NCHW", "HWIO", "NCHW")
        kernel = kernel.astype(np.float32)
        x = jax.nn.silu(
            jax.lax.conv_general_dilated(x[None], kernel, (1, 1), "SAME", dimension_numbers=numbers)[0]
        )
    return jnp.moveaxis(x, 0, -1).reshape(-1) @ network.dense.astype(np.float32)


def test_an_image_without_channels_has_a_map_of_its_own_shape():
    network = Twice((6, 5, 1))
    flat = lambda variables, x: network(variables, x[:, :, None])
    np.testing.assert_allclose(run(gradcam(flat), network.x[..., 0]), network.cam(), atol=2e-6)


def attention(variables, x):
    """Patches as tokens, heads of attention, a mean: no value follows the pixels."""
    patches = x.reshape(2, 4, 2, 4, 2).transpose(0, 2, 1, 3, 4).reshape(4, 32)
    heads = jnp.stack([patches @ weights for weights in variables])
    mixed = jax.nn.softmax(jnp.einsum("hic,hjc->hij", heads, heads)) @ heads
    return tag(mixed, "tokens").sum((0, 1))[:2]


def test_what_is_no_map_over_the_pixels_asks_for_a_tag():
    weights = np.random.default_rng(0).normal(size=(2, 32, 8)).astype(np.float32)
    x = np.random.default_rng(1).normal(size=(8, 8, 2)).astype(np.float32)
    with pytest.raises(
        UsageError, match=r"finds no map over x's pixels; name an activation by leakjax.explain.tag"
    ):
        gradcam(attention)(weights, x, 0, key=KEY)
    with pytest.raises(
        UsageError, match=r"layer='tokens': must be a map over x's pixels, not of shape \(2, 4, 8\)"
    ):
        gradcam(attention, layer="tokens")(weights, x, 0, key=KEY)
    with pytest.raises(UsageError, match="finds no map over x's pixels"):
        gradcam(lambda v, x: jnp.tanh(x @ v) @ v.T)(weights[0], np.ones(32, np.float32), 0, key=KEY)


def energy(variables, x):
    return (x**2).sum()[None]


def test_a_window_over_a_volume_hides_a_block():
    x = np.random.default_rng(2).normal(size=(4, 6, 8)).astype(np.float32)
    found = occlusion(energy, window=2, channel_axis=None)(None, x, 0, key=KEY)
    blocks = (x.astype(float) ** 2).reshape(2, 2, 3, 2, 4, 2).sum((1, 3, 5))
    np.testing.assert_allclose(found, blocks.repeat(2, 0).repeat(2, 1).repeat(2, 2), rtol=1e-4)


@pytest.mark.parametrize("axis", [0, -1])
def test_a_window_hides_all_channels_or_each(axis):
    x = np.random.default_rng(2).normal(size=(4, 6, 3)).astype(np.float32)
    squares = (x.astype(float) ** 2).reshape(2, 2, 3, 2, 3).sum((1, 3)).repeat(2, 0).repeat(2, 1)
    x, squares = (np.moveaxis(a, -1, axis) for a in (x, squares))
    together = occlusion(energy, window=2, channel_axis=axis)(None, x, 0, key=KEY)
    np.testing.assert_allclose(
        together, np.broadcast_to(squares.sum(axis, keepdims=True), x.shape), rtol=1e-4
    )
    apart = occlusion(energy, window=2, channel_axis=axis, each_channel=True)(None, x, 0, key=KEY)
    np.testing.assert_allclose(apart, squares, rtol=1e-4)


def test_the_models_convolution_tells_the_channels_to_occlusion():
    network = Twice((6, 5, 3))
    last = run(occlusion(network, window=2, channel_axis=-1), network.x)
    np.testing.assert_allclose(run(occlusion(network, window=2), network.x), last, atol=1e-6)
    first = run(occlusion(lambda v, x: _channels_first(network, x), window=2), np.moveaxis(network.x, -1, 0))
    np.testing.assert_allclose(np.moveaxis(first, 0, -1), last, atol=1e-5)


def test_channels_that_cannot_be_told_are_asked_for():
    for shape in ((3, 8, 8), (8, 8, 8), (4, 4, 4), (8, 8, 2, 3)):
        with pytest.raises(UsageError, match="channel_axis='auto': cannot be told for x of shape"):
            occlusion(energy)(None, np.ones(shape, np.float32), 0, key=KEY)
        with pytest.raises(UsageError, match="channel_axis='auto': cannot be told"):
            grid(shape, 2)


def test_a_grid_over_other_layouts():
    image = grid((6, 4, 3), 2)
    np.testing.assert_array_equal(grid((3, 6, 4), 2, channel_axis=0).map[0], image.map[..., 0])
    np.testing.assert_array_equal(grid((6, 4), 2).map, image.map[..., 0])
    volume = grid((4, 4, 4), 2, channel_axis=None)
    assert volume.count == 8
    np.testing.assert_array_equal(np.bincount(volume.map.reshape(-1)), [8] * 8)
