"""Properties of maps against definitions, on maps where they are known."""

import numpy as np
import pytest

from leakjax.papers.root_cause.properties import carried, distinctness, sparsity


def test_sparsity_is_hoyers():
    one_hot, flat = np.zeros((1, 1, 9)), np.full((1, 1, 9), -2.0)
    one_hot[..., 4] = 3.0
    assert sparsity(one_hot) == pytest.approx(1)
    assert sparsity(flat) == pytest.approx(0)
    assert sparsity(np.concatenate([one_hot, flat])) == pytest.approx(0.5)
    two = np.array([3.0, 4, 0, 0]).reshape(1, 1, 2, 2)
    assert sparsity(two) == pytest.approx((2 - 7 / 5) / (2 - 1))
    assert sparsity(np.concatenate([two, 0 * two])) == pytest.approx(0.6)  # a map of zeros has none


def test_distinctness_is_one_less_the_mean_cosine_of_pairs():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(5, 3, 2, 4))
    cosines = []
    for point in range(3):
        for one in range(5):
            for other in range(one):
                a, b = maps[one, point].ravel(), maps[other, point].ravel()
                cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert distinctness(maps) == pytest.approx(1 - np.mean(cosines))
    assert distinctness(np.repeat(maps[:1], 4, axis=0)) == pytest.approx(0, abs=1e-12)


def test_a_map_whose_sum_is_the_confidence_carries_it_and_noise_does_not():
    rng = np.random.default_rng(1)
    confidence = rng.normal(size=(12, 30))
    maps = rng.normal(size=(12, 30, 6))
    telling = maps - maps.mean(axis=-1, keepdims=True) + confidence[..., None] / 6
    assert carried(telling, confidence) == pytest.approx(1)
    assert abs(carried(maps, confidence)) < 0.15  # adjusted: nothing is read off chance
