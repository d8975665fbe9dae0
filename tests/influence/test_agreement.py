import numpy as np
import pytest

from leakjax.influence.agreement import agreement


def test_agreement_is_that_of_each_query():
    exact = np.array([[1.0, 2.0, 3.0, -9.0], [0.0, 1.0, 0.5, 0.2]])
    assert agreement(exact, exact, k=2) == (pytest.approx(1), pytest.approx(1), 1, 1)
    other = np.array([[1.0, 2.0, 9.0, -3.0], [0.0, 1.0, 0.2, 0.5]])
    result = agreement(other, exact, k=2)
    np.testing.assert_allclose(
        result.correlation, np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(other, exact, strict=True)])
    )
    assert (result.overlap, result.first) == (0.75, 0.5)
