"""How alike two images look: SSIM, the measure of the literature on reconstruction."""

import numpy as np
from scipy.ndimage import gaussian_filter

SIGMA, RADIUS = 1.5, 5  # of the Gaussian window, in pixels: 11 along each side
K1, K2 = 0.01, 0.03


def ssim(one: np.ndarray, other: np.ndarray, *, span: float = 1.0) -> np.ndarray:
    """The mean structural similarity of pairs of images, the mean over their channels.

    Args:
      one: [images, height, width, channels].
      other: of the same shape.
      span: largest value less smallest that a pixel can have.

    Returns:
      [images], at most 1, for equal images. Windows lie within the image; where a side has fewer pixels than a window,
      as in images of 8 x 8, they may reach over its edge, behind which the image is mirrored.

    Source: Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", equation 13
      and section III.C.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)

    def mean(values: np.ndarray) -> np.ndarray:
        # Each image and channel by itself; 3.5 standard deviations are 5 pixels.
        return gaussian_filter(values, (0, SIGMA, SIGMA, 0), truncate=RADIUS / SIGMA)

    ours, theirs = mean(one), mean(other)
    own, its = mean(one**2) - ours**2, mean(other**2) - theirs**2
    shared = mean(one * other) - ours * theirs
    first, second = (K1 * span) ** 2, (K2 * span) ** 2
    alike = (2 * ours * theirs + first) * (2 * shared + second)
    alike /= (ours**2 + theirs**2 + first) * (own + its + second)
    if min(one.shape[1:3]) > 2 * RADIUS:
        alike = alike[:, RADIUS:-RADIUS, RADIUS:-RADIUS]
    return alike.mean(axis=(1, 2, 3))
