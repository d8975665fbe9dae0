"""Inputs that an attacker asks about, beside what the papers say that they are."""

import jax
import numpy as np
import pytest

from leakjax.attack.queries import boundary_distance, neighbours, removals, shifts

KEY = jax.random.key(0)


def test_neighbours_are_scaled_first_and_noisy_then():
    x = np.arange(4, dtype=np.float32)
    found = neighbours(x, 200, noise=0.5, key=KEY)
    np.testing.assert_allclose(found[:4], np.array([0.8, 1.25, 0.5, 2.0])[:, None] * x, rtol=1e-6)
    assert np.std(np.asarray(found[4:]) - x) == pytest.approx(0.5, rel=0.1)
    assert neighbours(x, 2, noise=0.5, key=KEY).shape == (2, 4)


def test_images_are_moved_by_whole_pixels_and_mirrored():
    image = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    first, second, left, right, mirrored = shifts(image, 1)
    below = np.zeros_like(image)
    below[1:] = image[:-1]
    np.testing.assert_array_equal(first, below)
    above = np.zeros_like(image)
    above[:-1] = image[1:]
    np.testing.assert_array_equal(second, above)
    assert left.shape == right.shape == image.shape
    np.testing.assert_array_equal(mirrored, image[:, ::-1])


def test_features_go_in_the_order_of_their_importance():
    x = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    found = removals(x, np.array([0.1, -9.0, 3.0, 0.2], np.float32), 2)
    np.testing.assert_array_equal(found, [[1, 0, 0, 4], [0, 0, 0, 0], [0, 2, 3, 0], [0, 0, 0, 0]])


def test_the_distance_to_a_plane_is_found():
    """Along a random direction of 2 dimensions the least of many distances is near the shortest one."""
    predict = lambda x: (x[0] > 1.0).astype(int)
    find = lambda x, label: boundary_distance(
        predict, x, label, directions=200, farthest=8.0, halvings=12, key=KEY
    )
    assert find(np.array([0.0, 0.0]), 0) == pytest.approx(1.0, abs=0.01)
    assert find(np.array([0.0, 0.0]), 1) == 0
    assert find(np.array([-100.0, 0.0]), 0) == 8.0
