"""Models that were trained elsewhere, one by one, as an ensemble."""

import numpy as np
import pytest

from leakjax import shadow
from leakjax._validate import UsageError

MEMBERSHIP = np.array([[True, False], [False, True]])


def test_weights_are_stacked_in_order_and_in_float32():
    fitted = [{"w": np.array([1.0, 2.0]), "b": 3}, {"w": np.array([4.0, 5.0]), "b": 6}]
    ensemble = shadow.from_models(fitted, MEMBERSHIP)
    np.testing.assert_array_equal(ensemble.variables["w"], np.array([[1, 2], [4, 5]], np.float32))
    assert ensemble.variables["w"].dtype == np.float32
    np.testing.assert_array_equal(ensemble.variables["b"], [3, 6])
    np.testing.assert_array_equal(ensemble.membership, MEMBERSHIP)
    np.testing.assert_array_equal(ensemble.ids, [0, 1])


@pytest.mark.parametrize(
    ("fitted", "said"),
    [
        ([], "variables=.*: must hold one model at least"),
        ([(1.0, 2.0), (1.0,)], "variables='model 1': must have the structure"),
        ([np.ones(2), np.ones(3)], "variables='model 1': must have the structure"),
    ],
)
def test_what_does_not_fit_together_is_named(fitted, said):
    with pytest.raises(UsageError, match=said):
        shadow.from_models(fitted, MEMBERSHIP)
