import numpy as np
import pytest
from skimage.metrics import structural_similarity

from leakjax.evaluate.similarity import ssim

RNG = np.random.default_rng(0)


def slow(one, other, radius=5, sigma=1.5):
    """The definition, window by window, of one image [height, width] mirrored at its edges."""
    offsets = np.arange(-radius, radius + 1)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    window /= window.sum()
    height, width = one.shape
    one, other = (np.pad(each, radius, mode="symmetric") for each in (one, other))
    found = []
    for top in range(height):
        for left in range(width):
            place = np.s_[top : top + 2 * radius + 1, left : left + 2 * radius + 1]
            a, b = one[place], other[place]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            cov = (window * (a - ma) * (b - mb)).sum()
            c1, c2 = 0.01**2, 0.03**2
            found.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.reshape(found, (height, width))


def test_small_images_follow_the_definition_with_mirrored_edges():
    one, other = RNG.random((2, 8, 8, 1)), RNG.random((2, 8, 8, 1))
    expected = [slow(a[..., 0], b[..., 0]).mean() for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(ssim(one, other), expected, rtol=1e-9)


def test_large_images_are_compared_where_the_window_fits():
    one, other = RNG.random((1, 14, 13, 1)), RNG.random((1, 14, 13, 1))
    expected = slow(one[0, ..., 0], other[0, ..., 0])[5:-5, 5:-5].mean()
    np.testing.assert_allclose(ssim(one, other), [expected], rtol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_scikit_image_says_the_same(channels):
    one = RNG.random((3, 28, 30, channels))
    other = np.clip(one + 0.2 * RNG.normal(size=one.shape), 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = [
        structural_similarity(a, b, channel_axis=-1, **options) for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(ssim(one, other), expected, rtol=1e-6)


def test_equal_images_have_1_and_a_span_is_a_unit():
    one, other = RNG.random((2, 16, 16, 1)), RNG.random((2, 16, 16, 1))
    np.testing.assert_allclose(ssim(one, one), 1.0)
    np.testing.assert_allclose(ssim(255 * one, 255 * other, span=255.0), ssim(one, other))
