"""Recommended chains by the name of an explainer, for text "preset:NAME".

PROVENANCE
"""

from collections.abc import Mapping
from types import MappingProxyType

# What is left is a direction, blurred: any map, of any size, and the only one of the two for maps of another shape than
# the query's (class activation).
_DIRECTION = "normalize()+cosine_noise(0.97)"
# Without the parts along 1 and x a map of shares cannot name a logit by its sum; the order of its values stays.
_SHARES = "project_out()+normalize()+cosine_noise(0.98)"

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(["saliency", "gradient", "smoothgrad"], _DIRECTION),
        **dict.fromkeys(["gradcam", "gradcam_pp"], _DIRECTION),
        **dict.fromkeys(
            ["input_x_gradient", "integrated_gradients", "gradient_shap", "deeplift", "lrp", "exact_shapley",
             "shapley_sampling", "occlusion", "feature_ablation", "feature_permutation"],
            _SHARES,
        ),
        **dict.fromkeys(["lime", "kernel_shap"], _SHARES),
        **dict.fromkeys(
            ["guided_backprop", "deconvnet", "guided_gradcam", "smoothgrad_squared", "vargrad"], _DIRECTION
        ),
    }
)  # fmt: skip
