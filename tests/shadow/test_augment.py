import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.shadow.augment import augment

IMAGES = jnp.arange(1.0, 1 + 300 * 3 * 4 * 2).reshape(300, 3, 4, 2)


def moved(image, down, right):
    """One image moved, zeros moving in, pixel by pixel."""
    out = np.zeros_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if 0 <= i - down < image.shape[0] and 0 <= j - right < image.shape[1]:
                out[i, j] = image[i - down, j - right]
    return out


def test_half_of_the_images_are_mirrored():
    out = np.asarray(augment(IMAGES, jax.random.key(0), flip=True, shift=0))
    mirrored = [
        np.array_equal(got, image[:, ::-1]) for got, image in zip(out, np.asarray(IMAGES), strict=True)
    ]
    same = [np.array_equal(got, image) for got, image in zip(out, np.asarray(IMAGES), strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert abs(np.mean(mirrored) - 0.5) < 5 * 0.5 / np.sqrt(300)


def test_each_image_moves_by_a_distance_of_its_own_and_every_distance_is_drawn():
    out = np.asarray(augment(IMAGES, jax.random.key(1), flip=False, shift=1))
    distances = []
    for got, image in zip(out, np.asarray(IMAGES), strict=True):
        every = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        distances += [move for move in every if np.array_equal(got, moved(image, *move))]
    assert len(distances) == 300
    counts = [distances.count(move) for move in set(distances)]
    assert len(counts) == 9
    assert max(abs(np.array(counts) - 300 / 9)) < 5 * np.sqrt(300 / 9)


def test_nothing_is_done_unless_asked():
    x = jnp.ones((2, 5))
    assert augment(x, jax.random.key(0), flip=False, shift=0) is x


def test_features_are_not_images():
    with pytest.raises(UsageError, match=r"x.shape=\(5,\): flip and shift need images"):
        augment(jnp.ones((2, 5)), jax.random.key(0), flip=True, shift=0)
