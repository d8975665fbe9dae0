"""Which points are far from all others."""

import numpy as np

FARTHEST, OTHERS = "farthest tenth", "others"
_SHARE = 0.1
_NEIGHBOURS = 5


def outliers(x: np.ndarray) -> np.ndarray:
    """Whether each point is among the tenth that are farthest from their fifth nearest neighbour.

    Args:
      x: [points, ...]; the distance is Euclidean, so that features should be of one scale.

    Returns:
      `FARTHEST` or `OTHERS`, str [points].
    """
    from sklearn.neighbors import NearestNeighbors  # it takes seconds to import

    flat = x.reshape(len(x), -1)
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS + 1, len(flat))).fit(flat)
    distance = nearest.kneighbors(flat)[0][:, -1]
    return np.where(distance >= np.quantile(distance, 1 - _SHARE), FARTHEST, OTHERS)
