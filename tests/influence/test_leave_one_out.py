import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from leakjax.influence.leave_one_out import leave_one_out
from leakjax.influence.logistic import fit, with_bias
from tests.influence.conftest import task


def refits(x, y, l2):
    rows = []
    for out in range(len(y)):
        reference = LogisticRegression(C=1 / l2, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
        rows.append(reference.fit(with_bias(np.delete(x, out, 0)), np.delete(y, out)).coef_[0])
    return np.array(rows)


@pytest.mark.parametrize(("points", "features", "l2"), [(50, 4, 1.0), (50, 4, 1e-3), (30, 60, 1.0)])
def test_every_model_is_a_refit_of_scikit_learn(points, features, l2):
    x, y = task(points, features)
    without = leave_one_out(fit(x, y, l2=l2))
    assert without.converged.all()
    assert (without.gradient_norm <= 1e-9).all()
    np.testing.assert_allclose(without.theta, refits(x, y, l2), atol=1e-8 / min(l2, 1))


def test_an_outlier_of_overwhelming_influence_still_converges():
    x, y = task(40, 3)
    x[0], y[0] = 60 * x[0], 1 - (x[0] @ np.ones(3) > 0)
    without = leave_one_out(fit(x, y, l2=1e-4))
    assert without.converged.all()
    alone = fit(x[1:], y[1:], l2=1e-4)
    np.testing.assert_allclose(without.theta[0], alone.theta, atol=1e-6)


def test_chunks_do_not_matter():
    model = fit(*task(50, 4))
    whole, parts = leave_one_out(model), leave_one_out(model, chunk=7)
    np.testing.assert_allclose(whole.theta, parts.theta, atol=1e-10)


def test_equal_points_share_one_model_exactly():
    x, y = task(30, 3)
    x[5], y[5] = x[17], y[17]
    theta = leave_one_out(fit(x, y)).theta
    assert (theta[5] == theta[17]).all()
    assert not (theta[5] == theta[6]).all()


def test_a_model_that_has_no_optimum_is_marked_and_no_other():
    # Without point 2 the labels are separable and, unpenalised, have no finite optimum.
    x = np.array([[-2.0], [-1.0], [1.5], [1.0], [2.0], [-0.5], [1.2]])
    y = np.array([0, 0, 0, 1, 1, 0, 1])
    without = leave_one_out(fit(x, y, l2=0))
    assert without.converged.tolist() == [True, True, False, True, True, True, True]
    assert np.isinf(without.gradient_norm[2])
