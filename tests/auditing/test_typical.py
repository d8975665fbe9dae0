import numpy as np
import pytest

from leakjax.auditing.typical import typical
from leakjax.data import Points


def points(x, y, columns=()):
    y = np.asarray(y, np.int32)
    return Points(np.asarray(x, np.float32), y, y.max() + 1, "own", np.arange(len(y)), columns=columns)


def test_each_of_the_first_large_classes_is_its_mean():
    draw = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3, 4], [30, 5, 40, 30, 30])
    x = draw.normal(size=(len(y), 4, 4, 1))
    found, classes = typical(points(x, y))
    assert classes.tolist() == [0, 2]  # of 1 there are too few: their mean might show one of them
    for one, label in zip(found, classes, strict=True):
        np.testing.assert_allclose(one, x[y == label].mean(axis=0), atol=1e-6)


def test_of_a_category_the_most_frequent_value_is_set():
    kinds = np.array([0] * 9 + [1] * 8 + [2] * 7)
    x = np.column_stack([np.linspace(0, 1, 24), np.eye(3)[kinds]])
    (one,), _ = typical(points(x, np.zeros(24), columns=["age", "job", "job", "job"]))
    np.testing.assert_allclose(one, [0.5, 1, 0, 0])


@pytest.mark.parametrize(("count", "shown"), [(19, 0), (24, 1)])
def test_small_classes_are_shown_together_or_not_at_all(count, shown):
    y = np.arange(count) % 4 // 2  # two classes of 12 at most
    x = np.arange(count)[:, None] * np.ones((1, 2))
    found, classes = typical(points(x, y))
    assert found.shape == (shown, 2)
    assert len(classes) == shown
    if shown:
        np.testing.assert_allclose(found[0], (count - 1) / 2)
