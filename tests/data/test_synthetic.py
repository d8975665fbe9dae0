import numpy as np
import pytest

from leakjax.data import load


def test_shape_and_standardisation():
    points = load("synthetic", points=300, features=7, classes=5, seed=3)
    assert points.x.shape == (300, 7)
    assert points.x.dtype == np.float32
    assert set(points.y) == set(range(5))
    np.testing.assert_allclose(points.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(points.x.std(axis=0), 1, atol=1e-5)


def test_the_seed_decides():
    first, again, other = (load("synthetic", points=100, features=5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)


@pytest.mark.parametrize("features", [2, 40])
def test_class_centres_are_vertices_of_one_hypercube(features):
    points = load("synthetic", points=40_000, features=features, classes=4)
    centres = np.stack([points.x[points.y == label].mean(axis=0) for label in range(4)])
    # Every feature takes two values over the classes, the two sides of the cube, up to sampling noise.
    low, high = centres.min(axis=0), centres.max(axis=0)
    distance = np.minimum(abs(centres - low), abs(centres - high))
    assert distance.max() < 0.06
    assert np.max(high - low) > 0.3
