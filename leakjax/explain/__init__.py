"""Explainers: pure functions of one example, one file a family."""

# The gradients first, so that lists of all methods begin with them.
from leakjax.explain.backprop.gradients import gradient, input_x_gradient

# isort: split
from leakjax import _spec
from leakjax.explain.backprop.cam import gradcam, gradcam_pp, guided_gradcam
from leakjax.explain.backprop.deeplift import deeplift
from leakjax.explain.backprop.gradient_shap import gradient_shap
from leakjax.explain.backprop.integrated import integrated_gradients
from leakjax.explain.backprop.lrp import lrp
from leakjax.explain.backprop.noisy import smoothgrad, smoothgrad_squared, vargrad
from leakjax.explain.backprop.rectifiers import deconvnet, guided_backprop
from leakjax.explain.completeness import completeness
from leakjax.explain.examples.anchors import Anchor, anchors
from leakjax.explain.examples.protodash import Prototypes, protodash
from leakjax.explain.feature_maps import tag
from leakjax.explain.flows import Fired
from leakjax.explain.masking.ablation import feature_ablation, feature_permutation, occlusion
from leakjax.explain.masking.kernel_shap import kernel_shap
from leakjax.explain.masking.lime import lime
from leakjax.explain.masking.shapley import exact_shapley, shapley_sampling
from leakjax.explain.modules import tag_module
from leakjax.explain.named import Named, joined, own
from leakjax.explain.registry import EXAMPLE_EXPLAINERS, EXPLAINERS, registered
from leakjax.explain.segments import Segments, by_columns, grid, slic
from leakjax.explain.show import show
from leakjax.explain.smoothed import smoothed
from leakjax.explain.types import BatchExplainer, Explainer, Factory, LogitsFn, Method, Runs, batched

__all__ = [
    "EXAMPLE_EXPLAINERS",
    "EXPLAINERS",
    "Anchor",
    "BatchExplainer",
    "Explainer",
    "Factory",
    "Fired",
    "LogitsFn",
    "Method",
    "Named",
    "Prototypes",
    "Runs",
    "Segments",
    "anchors",
    "batched",
    "by_columns",
    "completeness",
    "deconvnet",
    "deeplift",
    "exact_shapley",
    "feature_ablation",
    "feature_permutation",
    "gradcam",
    "gradcam_pp",
    "gradient",
    "gradient_shap",
    "grid",
    "guided_backprop",
    "guided_gradcam",
    "input_x_gradient",
    "integrated_gradients",
    "joined",
    "kernel_shap",
    "lime",
    "lrp",
    "occlusion",
    "own",
    "protodash",
    "registered",
    "shapley_sampling",
    "show",
    "slic",
    "smoothed",
    "smoothgrad",
    "smoothgrad_squared",
    "tag",
    "tag_module",
    "vargrad",
]

for _family in ("backprop", "masking", "examples"):
    _spec.discover(f"{__name__}.{_family}")
