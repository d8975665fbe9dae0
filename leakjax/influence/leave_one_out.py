"""Every leave-one-out model of a logistic regression, retrained to convergence by a batched Newton.

All models start one Sherman-Morrison Newton step from the full model and then share its inverse Hessian,
corrected for the missing point; converged models leave the batch. The shared Hessian contracts slowly for the
few points whose removal changes the curvature, so these end with Newton steps of their own, solved by
preconditioned conjugate gradients.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve

from leakjax._threads import one_blas_thread
from leakjax._validate import UsageError, positive
from leakjax.influence.logistic import Logistic, newton, newton_factor, predict, separates


class LeaveOneOut(NamedTuple):
    """The models trained without one point each.

    Attributes:
      theta: [points, features + 1]; row i is trained on all points but i.
      gradient_norm: [points], the norm of each model's gradient where it stopped.
      converged: [points], whether that norm reached the tolerance; other rows must be excluded and counted.
    """

    theta: np.ndarray
    gradient_norm: np.ndarray
    converged: np.ndarray


def leave_one_out(
    model: Logistic, *, tolerance: float = 1e-9, shared_steps: int = 60, own_steps: int = 20, chunk: int = 512
) -> LeaveOneOut:
    """Retrains the model without each of its points in turn, exactly.

    Args:
      model: The full model, from fit.
      tolerance: The gradient norm at which a model has converged.
      shared_steps: The most steps with the shared inverse Hessian.
      own_steps: The most Newton steps with the model's own Hessian after them.
      chunk: Models trained together; memory is about 4 points x chunk float64.

    Returns:
      One model per point. A model that did not reach the tolerance (without regularisation, points may
      become separable when one leaves) is marked, never silently used.

    Source: Shokri, Strobel and Zick, equation 3 (theta_x is trained on the set without x).
    """
    positive("tolerance", tolerance)
    positive("chunk", chunk)
    with one_blas_thread():
        probability = predict(model.theta, model.x)
        weight = probability * (1 - probability)
        factor = newton_factor(model.x, weight, model.l2)
        inverse = cho_solve(factor, np.eye(model.x.shape[1]))
        solved = model.x @ inverse
        leverage = weight / np.maximum(1 - weight * np.einsum("ij,ij->i", solved, model.x), 1e-12)
        shared = _Shared(model, inverse.astype(np.float32), solved, leverage)
        residual = probability - model.y
        start = model.theta + solved * (residual * leverage / weight.clip(1e-300))[:, None]
        # Equal points share one model: their influences tie exactly, as they do on paper, and not up to rounding.
        _, first, same = np.unique(
            np.column_stack([model.x, model.y]), axis=0, return_index=True, return_inverse=True
        )
        parts = [
            _train(shared, start[points], points, tolerance, shared_steps, own_steps)
            for points in np.split(first, range(chunk, len(first), chunk))
        ]
        theta, norm = (np.concatenate(part) for part in zip(*parts, strict=True))
        # Unpenalised, a vanishing gradient may be that of a model on its way to infinity: each is checked alone.
        doubtful = np.ones(len(norm), bool) if model.l2 == 0 else ~(norm <= tolerance)
        for row in np.flatnonzero(doubtful):
            theta[row], norm[row] = _alone(model, theta[row], first[row], tolerance)
        theta, norm = theta[same.ravel()], norm[same.ravel()]
        return LeaveOneOut(theta, norm, norm <= tolerance)


def _alone(model: Logistic, start: np.ndarray, point: int, tolerance: float) -> tuple[np.ndarray, float]:
    """Finishes one model by damped Newton, where full steps overshoot; norm inf if it has no optimum."""
    x, y = np.delete(model.x, point, axis=0), np.delete(model.y, point)
    start = start if np.abs(start).max() < 1e6 else model.theta  # not from where an overshoot went
    try:
        theta, norm = newton(start, x, y, l2=model.l2, tolerance=tolerance, steps=100)
    except UsageError:
        return model.theta, np.inf
    return (model.theta, np.inf) if separates(theta, x, y, model.l2) else (theta, norm)


class _Shared(NamedTuple):
    """What all models share: the full model's inverse Hessian and each point's rank-one correction."""

    model: Logistic
    inverse: np.ndarray  # float32: it only steers the step, the gradient is float64
    solved: np.ndarray  # [points, features + 1]: the inverse Hessian times each point
    leverage: np.ndarray  # [points]: w / (1 - w x H^-1 x)

    def step(self, gradient: np.ndarray, left_out: np.ndarray) -> np.ndarray:
        """The inverse Hessian without each model's point, times its gradient [models, features + 1]."""
        scale = np.abs(gradient).max(axis=1, keepdims=True).clip(1e-300)
        step = ((gradient / scale).astype(np.float32) @ self.inverse) * scale
        solved = self.solved[left_out]
        along = self.leverage[left_out] * np.einsum("ij,ij->i", solved, gradient)
        return step + solved * along[:, None]

    def gradient(self, theta: np.ndarray, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The gradients [models, features + 1] and the probabilities [models, points] at theta."""
        model = self.model
        # The logistic function by tanh, which NumPy vectorises: several times faster, and exact to 1e-16
        # absolute.
        probability = theta @ model.x.T
        probability *= 0.5
        np.tanh(probability, out=probability)
        probability *= 0.5
        probability += 0.5
        residual = probability - model.y
        residual[np.arange(len(theta)), left_out] = 0
        return residual @ model.x + model.l2 * theta, probability


def _train(
    shared: _Shared,
    theta: np.ndarray,
    left_out: np.ndarray,
    tolerance: float,
    shared_steps: int,
    own_steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains one chunk of models from theta; returns their parameters and gradient norms."""
    theta, norms = theta.copy(), np.full(len(theta), np.inf)
    active, previous = np.arange(len(theta)), np.full(len(theta), np.inf)
    for step in range(shared_steps + own_steps):
        gradient, probability = shared.gradient(theta[active], left_out[active])
        norms[active] = norm = np.linalg.norm(gradient, axis=1)
        # A model whose gradient explodes leaves unconverged: full steps overshoot from there.
        going = (norm > tolerance) & (norm < 100 * previous[active])
        active, gradient, probability, norm = active[going], gradient[going], probability[going], norm[going]
        if not len(active):
            break
        out = left_out[active]
        slow = (norm > 0.3 * previous[active]) | (step >= shared_steps)
        previous[active] = norm
        update = shared.step(gradient, out)
        if slow.any():
            update[slow] = _own_newton(shared, gradient[slow], probability[slow], out[slow])
        theta[active] -= update
    return theta, norms


def _own_newton(
    shared: _Shared, gradient: np.ndarray, probability: np.ndarray, left_out: np.ndarray
) -> np.ndarray:
    """Newton steps with each model's own Hessian, by conjugate gradients from the shared one."""
    x, l2 = shared.model.x, shared.model.l2
    weight = probability * (1 - probability)
    weight[np.arange(len(weight)), left_out] = 0
    solution, residual = np.zeros_like(gradient), gradient.copy()
    direction = conditioned = shared.step(residual, left_out)
    rho = np.einsum("ij,ij->i", residual, conditioned)
    target = 1e-4 * np.linalg.norm(gradient, axis=1)
    for _ in range(50):
        if (np.linalg.norm(residual, axis=1) <= target).all():
            break
        curved = (direction @ x.T * weight) @ x + l2 * direction
        curvature = np.einsum("ij,ij->i", direction, curved)
        rate = (rho / np.where(curvature > 0, curvature, np.inf))[:, None]
        solution += rate * direction
        residual -= rate * curved
        conditioned = shared.step(residual, left_out)
        rho, last = np.einsum("ij,ij->i", residual, conditioned), rho
        direction = conditioned + (rho / np.where(last != 0, last, np.inf))[:, None] * direction
    return solution
