import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import Points, deduplicate, evenly_spaced, in_order, validate


def make(x, y, **fields):
    x, y = np.asarray(x), np.asarray(y)
    return Points(x, y, **{"classes": 2, "name": "set", "ids": np.arange(len(x), dtype=np.int32)} | fields)


GOOD = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [4.0, 5.0]], np.float32)


@pytest.mark.parametrize(("count", "points"), [(1, 9), (4, 9), (9, 9), (1024, 20_011)])
def test_evenly_spaced_rows_are_the_floors_of_equal_steps(count, points):
    found = evenly_spaced(count, points)
    np.testing.assert_array_equal(found, [(i * points) // count for i in range(count)])
    assert np.ptp(np.diff(np.append(found, points))) <= 1


def test_validate_returns_good_points_unchanged():
    points = make(GOOD, [0, 1, 1, 0])
    assert validate(points) is points


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (make(GOOD * np.where(GOOD == 3, np.nan, 1), [0, 1, 1, 0]), "1 points have NaN or infinite.* row 1"),
        (make(np.where(GOOD == 0, np.inf, GOOD), [0, 1, 1, 0]), "2 points have NaN or infinite.* row 0"),
        (make(GOOD.astype(str), [0, 1, 1, 0]), "features have dtype <U32, must be real numbers"),
        (make(GOOD, [0, 1, 2, 0]), "label 2 of row 2 .*0..1"),
        (make(GOOD, [0, 1, -1, 0]), "label -1 of row 2 .*0..1"),
        (make(GOOD, [0.0, 1.0, 1.0, 0.0]), "dtype float64, must be integers 0..1"),
        (make(GOOD, [0, 1, 1]), r"y has shape \(3,\), must be \(4,\)"),
        (make(GOOD, [[0], [1], [1], [0]]), r"y has shape \(4, 1\), must be \(4,\)"),
        (make(GOOD, [0, 1, 1, 0], groups={"sex": np.array(["a"])}), r"group 'sex' has shape \(1,\)"),
        (make(GOOD, [0, 0, 0, 0], classes=1), "has 1 class, must have at least 2"),
        (make(GOOD[:0], []), "at least one point and feature"),
        (make(GOOD[:, 0], [0, 1, 1, 0]), "at least one point and feature"),
        (make(GOOD[:, :0], [0, 1, 1, 0]), "at least one point and feature"),
    ],
)
def test_validate_names_the_set_and_the_fault(points, message):
    with pytest.raises(UsageError, match=f"^set: .*{message}") as error:
        validate(points)
    assert "\n" not in str(error.value)


def test_in_order_validates_and_numbers_the_rows():
    points = in_order(GOOD, np.array([0, 1, 1, 0], np.int64), classes=2, name="set")
    np.testing.assert_array_equal(points.ids, range(4))
    assert (points.y.dtype, points.ids.dtype) == (np.int32, np.int32)
    with pytest.raises(UsageError, match="set: labels have dtype float64"):
        in_order(GOOD, np.array([0.0, 1.0, 1.0, 0.0]), classes=2, name="set")


def test_deduplicate_keeps_the_first_of_equal_features_and_its_columns():
    points = make(GOOD, [0, 1, 1, 0], groups={"sex": np.array(["a", "b", "c", "d"])})
    distinct = deduplicate(points)
    np.testing.assert_array_equal(distinct.x, GOOD[[0, 1, 3]])
    np.testing.assert_array_equal(distinct.y, [0, 1, 0])
    np.testing.assert_array_equal(distinct.ids, [0, 1, 3])
    np.testing.assert_array_equal(distinct.groups["sex"], ["a", "b", "d"])
    assert distinct.duplicates == 1
    assert deduplicate(distinct) is distinct


def test_deduplicate_agrees_with_unique_on_images():
    x = np.random.default_rng(0).integers(0, 2, (300, 2, 2, 2)).astype(np.uint8)
    distinct = deduplicate(make(x, np.zeros(300, np.int32)))
    _, first = np.unique(x.reshape(300, -1), axis=0, return_index=True)
    np.testing.assert_array_equal(distinct.ids, np.sort(first))
    assert distinct.duplicates == 300 - len(first) > 0


def test_negative_zero_equals_zero():
    assert deduplicate(make([[0.0], [-0.0], [1.0]], [0, 1, 0])).duplicates == 1


def test_lists_are_taken_where_arrays_are_and_a_single_value_is_not():
    points = in_order(GOOD.tolist(), [0, 1, 1, 0], classes=2, name="set")
    np.testing.assert_array_equal(points.x, GOOD)
    assert points.y.dtype == np.int32
    with pytest.raises(UsageError, match=r"^set: x has shape \(\)"):
        in_order(None, [0], classes=2, name="set")
