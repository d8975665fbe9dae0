import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import membership

KEY = jax.random.key(7)


def test_a_model_has_the_same_members_alone_and_among_thousands():
    alone = membership(KEY, [17], 50)[0]
    np.testing.assert_array_equal(membership(KEY, np.arange(64), 50)[17], alone)
    np.testing.assert_array_equal(membership(KEY, np.arange(4096), 50)[17], alone)
    np.testing.assert_array_equal(membership(KEY, [4000, 17], 50)[1], alone)


def test_coins_are_fair_and_independent_per_model_and_point():
    models, points = 400, 500
    member = np.asarray(membership(KEY, np.arange(models), points), float)
    assert member.shape == (models, points)
    # Each sum is normal to good approximation: 5 standard deviations, over all models, points and pairs.
    assert abs(member.mean() - 0.5) < 5 * 0.5 / np.sqrt(models * points)
    assert np.all(abs(member.mean(axis=1) - 0.5) < 5 * 0.5 / np.sqrt(points))
    assert np.all(abs(member.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(models))
    # Were the halves exact, these variances would be 0; independent coins give points / 4 and models / 4.
    assert 0.7 < member.sum(axis=1).var() / (points / 4) < 1.4
    assert 0.7 < member.sum(axis=0).var() / (models / 4) < 1.4
    sign = 2 * member - 1
    between_models = (sign @ sign.T)[np.triu_indices(models, 1)] / points
    assert np.all(abs(between_models) < 6 / np.sqrt(points))


def test_the_key_decides():
    first = membership(KEY, [0], 100)
    assert membership(KEY, [0], 100).dtype == bool
    assert not np.array_equal(first, membership(jax.random.key(8), [0], 100))


@pytest.mark.parametrize("model_ids", [[-1], [0.5]])
def test_ids_are_counting_numbers(model_ids):
    with pytest.raises(UsageError, match="model_ids="):
        membership(KEY, model_ids, 10)


def test_points_are_positive():
    with pytest.raises(UsageError, match="points=0: must be at least 1"):
        membership(KEY, [0], 0)
