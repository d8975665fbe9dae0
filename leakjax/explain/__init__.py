"""Explainers: pure functions of one example, one file a family."""

from leakjax.explain.gradients import gradient, input_x_gradient
from leakjax.explain.integrated import integrated_gradients
from leakjax.explain.noisy import smoothgrad, smoothgrad_squared, vargrad
from leakjax.explain.registry import EXPLAINERS
from leakjax.explain.types import Explainer, LogitsFn, Method, batched

__all__ = [
    "EXPLAINERS",
    "Explainer",
    "LogitsFn",
    "Method",
    "batched",
    "gradient",
    "input_x_gradient",
    "integrated_gradients",
    "smoothgrad",
    "smoothgrad_squared",
    "vargrad",
]
