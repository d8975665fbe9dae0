"""Points around the vertices of a hypercube, one vertex a class."""

import numpy as np

from leakjax import _memory, _validate
from leakjax.data.points import Points, in_order
from leakjax.data.registry import registered


@registered("synthetic")
def load(points: int = 20_000, features: int = 100, classes: int = 2, seed: int = 0) -> Points:
    """Draws normal clusters around hypercube vertices and standardises every feature.

    scikit-learn's `make_classification` with every feature informative, one cluster a class and no label
    noise: the vertex is the centre of its class. The paper draws 20,000 points of 1 to 10,000 features in 2
    or 100 classes; it does not name the other parameters, which are scikit-learn's defaults here.

    Args:
      points: how many points.
      features: how many features, at least log2(classes) so that every class has a vertex.
      classes: how many classes, at least 2.
      seed: of the draw, 0..2**32-1.

    Returns:
      The points, x float32 [points, features] of mean 0 and variance 1 in each feature.

    Raises:
      UsageError: an option out of its range.

    Source: Shokri, Strobel, Zick, Privacy Risks of Explaining Machine Learning Models, section 4.4 and
        appendix D.
    """
    _validate.at_least("classes", classes, 2)
    _validate.at_least("points", points, classes)
    _validate.at_least("features", features, 1)
    if classes > 2**features:
        raise _validate.fail("features", features, f"must be at least log2 of the {classes} classes")
    if not 0 <= seed < 2**32:
        raise _validate.fail("seed", seed, "must be in 0..2**32-1")
    # In float64: what is drawn, what it is made of, what is standardised; then in float32.
    _memory.check(
        "points", points, (4 * 8 + 4) * points * features, f"{points:,} points of {features:,} features"
    )
    from sklearn import datasets  # imported here: slow, and the other sets do without

    x, y = datasets.make_classification(
        n_samples=points,
        n_features=features,
        n_informative=features,
        n_redundant=0,
        n_repeated=0,
        n_classes=classes,
        n_clusters_per_class=1,
        flip_y=0.0,
        random_state=seed,
    )
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return in_order(x.astype(np.float32), y, classes=classes, name="synthetic")
