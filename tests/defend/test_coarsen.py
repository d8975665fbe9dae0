"""Means over windows and segments, and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax._validate import UsageError

KEY = jax.random.key(0)
RNG = np.random.default_rng(1)


def released(defense, x):
    return np.asarray(defend.apply(defense, jnp.asarray(x), key=KEY))


@pytest.mark.parametrize(
    ("shape", "window", "sides"),
    [((6,), 3, (3,)), ((4, 6), 2, (2, 2)), ((4, 6, 3), 2, (2, 2, 1)), ((4, 6, 2), (4, 3, 2), (4, 3, 2))],
)
def test_windows_are_means_and_come_back_repeated(shape, window, sides):
    x = RNG.normal(size=shape).astype(np.float32)
    means = released(defend.coarsen(window), x)
    assert means.shape == tuple(length // side for length, side in zip(shape, sides, strict=True))
    for index in np.ndindex(means.shape):
        cell = tuple(slice(i * side, (i + 1) * side) for i, side in zip(index, sides, strict=True))
        np.testing.assert_allclose(means[index], x[cell].mean(), rtol=1e-5, atol=1e-6)
    back = released(defend.chain(defend.coarsen(window), defend.upsample(window)), x)
    assert back.shape == shape
    np.testing.assert_allclose(released(defend.coarsen(window), back), means, rtol=1e-5)


def test_segments_are_means():
    labels = np.array([[0, 0, 1], [2, 1, 1]])
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    expected = [x[labels == segment].mean() for segment in range(3)]
    np.testing.assert_allclose(released(defend.coarsen_segments(labels), x), expected, rtol=1e-5)


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], [0.5, 1.0], []])
def test_labels_with_a_gap_are_refused(labels):
    with pytest.raises(UsageError, match="labels"):
        defend.coarsen_segments(np.asarray(labels))


def test_a_window_that_does_not_divide_the_image_is_refused():
    with pytest.raises(UsageError, match=r"window=3: must divide the attribution's axes, \(8, 8, 1\)"):
        released(defend.coarsen(3), np.zeros((8, 8, 1)))
    with pytest.raises(UsageError, match="labels"):
        released(defend.coarsen_segments([0, 1]), np.zeros(3))
