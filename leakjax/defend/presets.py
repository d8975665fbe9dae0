"""Recommended chains by the name of an explainer, for text "preset:NAME": one for every explainer that gives a map.

A chain goes to a whole family, chosen on shadows alone, of `normalize()+cosine_noise(c)` with and without
`project_out()` before it, c of 0.98, 0.95, 0.9, and the signs of the top quarter: the mildest that cuts 75 % of what
the explanations add to the label wherever one does. That is the leak first: what it costs of the figure of utility that
is quoted for the family (`leakjax.evaluate.utility_quoted`) stands beside it.

| cut, at a loss of | digits | fashion_mnist | claims9 |
|---|---|---|---|
| gradient: noise to 0.98 | 77 %, 2.0 % | 41 %, 2.1 % | 47 %, 2.0 % |
| gradient: `project_out` before it | 90 %, 6.7 % | 100 %, 2.9 % | 100 %, 3.3 % |
| input x gradient: noise to 0.95 | 91 %, 0.2 % | 31 %, 0.0 % | 49 %, 2.5 % |
| input x gradient: `project_out`, noise to 0.98 | 96 %, 0.7 % | 92 %, 0.0 % | 80 %, 3.0 % |
| feature ablation: noise to 0.95 | 78 %, 1.5 % | 1 %, 1.4 % | 36 %, 2.6 % |
| feature ablation: `project_out`, noise to 0.98 | 94 %, 14 % | 79 %, 9.5 % | 65 %, 3.5 % |

After `project_out` more noise hardly cuts more (feature ablation of claims9 at 0.9: 71 % at 6.2 %). So it is the chain
of all maps of the query's shape. Two families have another:

- averages of squares (SmoothGrad squared, VarGrad): nothing to cut on digits and claims9, where 0.98 costs 7 %; only
  their length goes.
- class activation maps have another shape than the query, so that noise alone is left; nothing was measured for them.

"saliency" is a gradient that people look at, for whom 6.7 % of the local correlation, or of deletion, may be too much.
"""

from collections.abc import Mapping
from types import MappingProxyType

_LENGTH = "normalize()"
# What is left is a direction, blurred: of any map, whatever its size and shape.
_DIRECTION = "normalize()+cosine_noise(0.98)"
_BLURRED = "normalize()+cosine_noise(0.95)"
# Without its parts along 1 and x a gradient cannot name how a logit grows.
_GRADIENT = "project_out('one,x', share=0.02)+normalize()+cosine_noise(0.98)"
# A part of each value's own cannot name a logit by its sum, nor by sums over what the query has alike.
_PARTS = "project_out('one,x,x2,positive', ties=True, share=0.06)+normalize()+cosine_noise(0.98, ties=True)"

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(["gradient", "smoothgrad", "guided_backprop", "deconvnet", "guided_gradcam"], _GRADIENT),
        **dict.fromkeys(
            ["input_x_gradient", "integrated_gradients", "gradient_shap", "deeplift", "lrp", "occlusion",
             "feature_ablation", "feature_permutation", "shapley_sampling", "exact_shapley", "kernel_shap", "lime"],
            _PARTS,
        ),
        **dict.fromkeys(["smoothgrad_squared", "vargrad"], _LENGTH),
        **dict.fromkeys(["gradcam", "gradcam_pp"], _BLURRED),
        "saliency": _DIRECTION,
    }
)  # fmt: skip
