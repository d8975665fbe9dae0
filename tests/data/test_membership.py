import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data.membership import disjoint, leave_one_out, membership, out_of_fold

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


def test_every_fold_is_left_out_once():
    rows = np.asarray(out_of_fold(KEY, np.arange(10), 23, folds=5))
    for partition in (rows[:5], rows[5:]):
        np.testing.assert_array_equal((~partition).sum(0), 1)  # each point is in one fold
        assert set((~partition).sum(1).tolist()) == {4, 5}
    assert not np.array_equal(rows[:5], rows[5:])
    np.testing.assert_array_equal(out_of_fold(KEY, [7], 23, folds=5)[0], rows[7])


def test_teachers_share_no_point():
    rows = np.asarray(disjoint(KEY, np.arange(8), 18, teachers=4))
    for partition in (rows[:4], rows[4:]):
        np.testing.assert_array_equal(partition.sum(0), 1)
        assert set(partition.sum(1).tolist()) == {4, 5}
    assert not np.array_equal(rows[:4], rows[4:])
    np.testing.assert_array_equal(disjoint(KEY, [6], 18, teachers=4)[0], rows[6])


def test_named_points_are_left_out_in_turn():
    rows = np.asarray(leave_one_out(KEY, np.arange(6), 9, left_out=(7, 2)))
    want = np.ones((6, 9), bool)
    want[[1, 4], 7] = want[[2, 5], 2] = False
    np.testing.assert_array_equal(rows, want)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: out_of_fold(KEY, [0], 10, folds=1), "folds=1: must be from 2"),
        (lambda: out_of_fold(KEY, [0], 10, folds=11), "folds=11"),
        (lambda: disjoint(KEY, [0], 10, teachers=0), "teachers=0"),
        (lambda: disjoint(KEY, [-1], 10, teachers=2), "model_ids="),
        (lambda: leave_one_out(KEY, [0], 10, left_out=()), "at least one"),
        (lambda: leave_one_out(KEY, [0], 10, left_out=(3, 3)), "different points"),
        (lambda: leave_one_out(KEY, [0], 10, left_out=(10,)), "from 0 to 9"),
    ],
)
def test_designs_name_what_is_wrong(draw, said):
    with pytest.raises(UsageError, match=said):
        draw()
