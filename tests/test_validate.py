"""The checks that every room shares: what cannot be compared is refused as what is out of range is."""

import jax
import numpy as np
import pytest

from leakjax import _validate
from leakjax._validate import UsageError


@pytest.mark.parametrize("value", ["3", None, [1, 2], 1j, object])
@pytest.mark.parametrize(
    "check", [lambda v: _validate.at_least("n", v, 1), lambda v: _validate.positive("n", v)]
)
def test_what_is_no_number_is_named(check, value):
    with pytest.raises(UsageError, match=r"^n=.*: must be a number$"):
        check(value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), np.float32(0.5)])
def test_numbers_out_of_range_are_named(value):
    with pytest.raises(UsageError, match=r"^n=.*: must be at least 1$"):
        _validate.at_least("n", value, 1)


def test_numbers_in_range_and_traced_ones_pass():
    for value in (1, 2.5, np.int8(3), np.float64(1e300)):
        _validate.at_least("n", value, 1)
        _validate.positive("n", value)
    jax.jit(lambda n: _validate.at_least("n", n, 1))(0.0)


@pytest.mark.parametrize("value", [True, 2.0, "2", None, np.float32(2)])
def test_a_whole_number_is_one_of_python_or_numpy(value):
    with pytest.raises(UsageError, match=r"^n=.*: must be a whole number$"):
        _validate.whole("n", value)
    _validate.whole("n", 2)
    _validate.whole("n", np.uint8(2))


@pytest.mark.parametrize("value", [3, None, ("a",)])
def test_a_name_that_is_no_text_gets_the_list_and_no_hint(value):
    with pytest.raises(UsageError, match=r"must be one of a, b$"):
        _validate.one_of("n", value, ["a", "b"])


def test_rows_of_several_lengths_are_no_membership():
    with pytest.raises(UsageError, match=r"^m='list': must hold rows of one length"):
        _validate.yes_or_no("m", [[0, 1], [1]])
    np.testing.assert_array_equal(_validate.yes_or_no("m", [[0, 1.0]]), [[False, True]])
