import numpy as np

from leakjax.data.outliers import FARTHEST, OTHERS, outliers


def test_outliers_are_the_tenth_that_are_farthest_from_their_fifth_neighbour():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2, 3)) * rng.gamma(1.0, size=(200, 1, 1))
    flat = x.reshape(200, 6)
    apart = np.sqrt(((flat[:, None] - flat[None]) ** 2).sum(-1))
    fifth = np.sort(apart, axis=1)[:, 5]  # the nearest is the point itself
    expected = np.argsort(fifth)[-20:]
    found = outliers(x)
    assert set(found) == {FARTHEST, OTHERS}
    assert set(np.flatnonzero(found == FARTHEST)) == set(expected)


def test_of_fewer_points_than_neighbours_the_farthest_other_counts():
    assert outliers(np.array([[0.0], [4.0], [9.0]])).tolist() == [FARTHEST, OTHERS, FARTHEST]
