"""L2-regularised logistic regression by Newton's method, to a certified optimum, in float64.

The objective is scikit-learn's: the sum of the cross-entropies plus l2/2 |theta|^2, l2 = 1/C, and the bias,
the last entry of theta, is regularised like a weight. Runs on the host in LAPACK: the exact computations of
this package are small and need float64 factorizations, where a CPU is at home whatever accelerator trains the
networks.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import expit

from leakjax._validate import UsageError, at_least, fail, positive


class Logistic(NamedTuple):
    """A fitted model and what it was fitted on.

    Attributes:
      theta: [features + 1], the weights and the bias.
      x: [points, features + 1], the training points with a column of ones.
      y: [points], labels 0.0 or 1.0.
      l2: The penalty on the sum of losses.
      gradient_norm: The norm of the objective's gradient at theta.
    """

    theta: np.ndarray
    x: np.ndarray
    y: np.ndarray
    l2: float
    gradient_norm: float


def with_bias(x: np.ndarray) -> np.ndarray:
    """The points [points, features] in float64 with a column of ones: [points, features + 1]."""
    x = np.asarray(x, np.float64)
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def predict(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The probability of label 1 [points] at x [points, features + 1] (see with_bias)."""
    return expit(x @ theta)


def check_binary(x: np.ndarray, y: np.ndarray) -> None:
    """Raises UsageError unless x is [points, features] and finite, and y holds the labels 0 and 1."""
    if np.ndim(x) != 2 or len(x) < 2:
        raise fail("x.shape", np.shape(x), "must be [points, features] with at least 2 points")
    if np.shape(y) != (len(x),):
        raise fail("y.shape", np.shape(y), f"must be one label a point, ({len(x)},)")
    if not np.isfinite(x).all():
        raise UsageError(f"x: holds {int((~np.isfinite(x)).sum())} values that are not finite")
    labels = np.unique(y)
    if not np.isin(labels, (0, 1)).all():
        raise UsageError(f"y: labels must be 0 or 1 (a binary task), found {labels[:5].tolist()}")
    if len(labels) < 2:
        raise UsageError(f"y: both labels must occur, all points have {int(labels[0])}")


def newton_factor(x: np.ndarray, weight: np.ndarray, l2: float) -> tuple:
    """The Cholesky factor of the Hessian x^T diag(weight) x + l2 I; UsageError when it is singular."""
    hessian = (x * weight[:, None]).T @ x
    hessian[np.diag_indices_from(hessian)] += l2
    scale = np.sqrt(hessian.diagonal())
    try:
        factor = cho_factor(hessian, lower=True, overwrite_a=True)
    except LinAlgError:
        raise UsageError(f"l2={l2!r}: the Hessian is singular; raise l2 or drop dependent features") from None
    # A pivot far below its diagonal is rounding noise: the factor of a singular matrix that happened to
    # succeed.
    if (np.diag(factor[0]) < 1e-7 * scale).any() and l2 == 0:
        raise UsageError(f"l2={l2!r}: the Hessian is singular; raise l2 or drop dependent features")
    return factor


def fit(
    x: np.ndarray, y: np.ndarray, *, l2: float = 1.0, tolerance: float = 1e-9, steps: int = 100
) -> Logistic:
    """Fits a logistic regression to its optimum.

    Args:
      x: [points, features].
      y: [points], 0 or 1.
      l2: Penalty on the sum of losses, scikit-learn's 1/C; 0 for none.
      tolerance: The norm of the gradient to reach.
      steps: The most Newton steps.

    Returns:
      The model at its unique optimum.

    Raises:
      UsageError: Labels that are not binary, values that are not finite, a singular Hessian, separable
        points without regularisation (no finite optimum), no convergence.
    """
    check_binary(x, y)
    at_least("l2", l2, 0)
    positive("tolerance", tolerance)
    x, y = with_bias(x), np.asarray(y, np.float64)
    theta, norm = newton(np.zeros(x.shape[1]), x, y, l2=l2, tolerance=tolerance, steps=steps)
    # Checked first: on separable points the gradient vanishes too, on the way to infinity.
    if separates(theta, x, y, l2):
        raise UsageError(
            "l2=0: the points are linearly separable, so no finite optimum exists; set l2 above 0"
        )
    if norm > tolerance:
        raise UsageError(
            f"tolerance={tolerance!r}: not reached in {steps} Newton steps (gradient norm {norm:.1e})"
        )
    return Logistic(theta, x, y, float(l2), norm)


def newton(
    theta: np.ndarray, x: np.ndarray, y: np.ndarray, *, l2: float, tolerance: float, steps: int
) -> tuple[np.ndarray, float]:
    """Newton's method with step halving from theta; stops early once theta separates unpenalised points.

    Args:
      theta: [features + 1], the start.
      x: [points, features + 1] (see with_bias).
      y: [points], 0.0 or 1.0.
      l2: Penalty on the sum of losses.
      tolerance: The norm of the gradient to reach.
      steps: The most steps.

    Returns:
      theta [features + 1] where it stopped and the norm of the gradient there.

    Raises:
      UsageError: A singular Hessian.
    """
    value = objective(theta, x, y, l2)
    for step_number in range(steps + 1):
        probability = predict(theta, x)
        gradient = x.T @ (probability - y) + l2 * theta
        norm = float(np.linalg.norm(gradient))
        if norm <= tolerance or step_number == steps or separates(theta, x, y, l2):
            break
        step = cho_solve(newton_factor(x, probability * (1 - probability), l2), gradient)
        slope, rate = float(gradient @ step), 1.0
        while rate > 1e-8:
            candidate = objective(theta - rate * step, x, y, l2)
            # Near the optimum the decrease drowns in the rounding of the objective.
            if candidate <= value - 1e-4 * rate * slope + 1e-12 * abs(value):
                break
            rate /= 2
        theta, value = theta - rate * step, candidate
    return theta, norm


def separates(theta: np.ndarray, x: np.ndarray, y: np.ndarray, l2: float) -> bool:
    """Whether theta is right on every point without regularisation: proof of no finite optimum."""
    return l2 == 0 and bool(((x @ theta) * (2 * y - 1) > 0).all())


def objective(theta: np.ndarray, x: np.ndarray, y: np.ndarray, l2: float) -> float:
    """The sum of cross-entropies plus l2/2 |theta|^2."""
    return float(np.logaddexp(0, x @ theta * (1 - 2 * y)).sum() + 0.5 * l2 * theta @ theta)
