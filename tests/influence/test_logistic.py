import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from leakjax._validate import UsageError
from leakjax.influence.logistic import fit, predict, with_bias
from tests.influence.conftest import task


@pytest.mark.parametrize("l2", [1e-3, 1.0, 30.0])
def test_fit_is_the_optimum_that_scikit_learn_finds(l2):
    x, y = task(80, 5)
    reference = LogisticRegression(C=1 / l2, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    reference.fit(with_bias(x), y)  # the bias is a weight like the others
    model = fit(x, y, l2=l2)
    np.testing.assert_allclose(model.theta, reference.coef_[0], atol=1e-8)
    np.testing.assert_allclose(
        predict(model.theta, model.x), reference.predict_proba(model.x)[:, 1], atol=1e-9
    )
    assert model.gradient_norm <= 1e-9


def test_without_regularisation_the_fit_is_that_of_a_tiny_penalty():
    x, y = task(80, 3)
    np.testing.assert_allclose(fit(x, y, l2=0).theta, fit(x, y, l2=1e-9).theta, atol=1e-7)


def test_separable_points_without_regularisation_have_no_optimum():
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.raises(UsageError, match=r"linearly separable, so no finite optimum.*l2 above 0"):
        fit(x, np.array([0, 0, 1, 1]), l2=0)
    assert fit(x, np.array([0, 0, 1, 1]), l2=0.1).theta[0] > 0


def test_a_singular_hessian_is_named():
    x, y = task(40, 2)
    with pytest.raises(UsageError, match="Hessian is singular"):
        fit(np.concatenate([x, x], axis=1), y, l2=0)
    assert np.isfinite(fit(np.concatenate([x, x], axis=1), y, l2=1.0).theta).all()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 1)), [0, 1, 2], r"labels must be 0 or 1 .*found \[0, 1, 2\]"),
        (np.zeros((3, 1)), [1, 1, 1], "both labels must occur"),
        (np.array([[0.0], [np.nan], [1.0]]), [0, 1, 1], "1 values that are not finite"),
        (np.zeros(3), [0, 1, 1], r"x.shape"),
        (np.zeros((3, 1)), [0, 1], r"y.shape"),
    ],
)
def test_bad_points_are_refused(x, y, message):
    with pytest.raises(UsageError, match=message):
        fit(x, np.array(y))


def test_a_tolerance_out_of_reach_is_an_error():
    with pytest.raises(UsageError, match=r"tolerance=.*not reached in 1 Newton steps"):
        fit(*task(40, 3), steps=1)
