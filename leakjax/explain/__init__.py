"""Explainers: pure functions of one example, one file a family."""

from leakjax.explain.ablation import feature_ablation, feature_permutation, occlusion
from leakjax.explain.gradient_shap import gradient_shap
from leakjax.explain.gradients import gradient, input_x_gradient
from leakjax.explain.integrated import integrated_gradients
from leakjax.explain.kernel_shap import kernel_shap
from leakjax.explain.lime import lime
from leakjax.explain.noisy import smoothgrad, smoothgrad_squared, vargrad
from leakjax.explain.registry import EXPLAINERS
from leakjax.explain.segments import Segments, grid, slic
from leakjax.explain.shapley import exact_shapley, shapley_sampling
from leakjax.explain.types import Explainer, LogitsFn, Method, batched

__all__ = [
    "EXPLAINERS",
    "Explainer",
    "LogitsFn",
    "Method",
    "Segments",
    "batched",
    "exact_shapley",
    "feature_ablation",
    "feature_permutation",
    "gradient",
    "gradient_shap",
    "grid",
    "input_x_gradient",
    "integrated_gradients",
    "kernel_shap",
    "lime",
    "occlusion",
    "shapley_sampling",
    "slic",
    "smoothgrad",
    "smoothgrad_squared",
    "vargrad",
]
