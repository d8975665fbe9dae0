"""The embedded default: 1,797 handwritten digits that ship inside scikit-learn."""

import numpy as np

from leakjax.data.points import Points, in_order
from leakjax.data.registry import registered


@registered("digits")
def load() -> Points:
    """8x8 images of ten digits, ink 0..16 scaled to [0, 1].

    Returns:
      1,797 points, x float32 [1797, 8, 8, 1].
    """
    from sklearn import datasets  # imported here: slow, and the other sets do without

    x, y = datasets.load_digits(return_X_y=True)
    return in_order((x.reshape(-1, 8, 8, 1) / 16).astype(np.float32), y, classes=10, name="digits")
