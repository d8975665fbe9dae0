"""Recommended chains by the name of an explainer, for text "preset:NAME": one for every explainer that gives a map.

A chain goes to a whole family, chosen on shadows alone, the leak first: of those tried, the mildest that cuts 75 % of
what the explanations add to the label wherever one does. What it costs of the figure of utility that is quoted for the
family (`leakjax.evaluate.utility_quoted`) stands beside it.

| cut, at a loss of | digits | fashion_mnist | attributes100 | claims9 |
|---|---|---|---|---|
| gradient: noise to 0.98 | 77 %, 2.0 % | 41 %, 2.1 % | | 47 %, 2.0 % |
| .. without 1 and x, 0.98 | 90 %, 6.7 % | 100 %, 2.9 % | 96 %, 8.9 % | 100 %, 3.3 % |
| .. without 1, 0.98 | 89 %, 2.6 % | 87 %, 2.4 % | 58 %, 2.9 % | |
| .. without x, and 1 where there is room, 0.99 | 87 %, 3.0 % | 99 %, 1.9 % | 85 %, 5.4 % | 100 %, 2.3 % |
| input x gradient: noise to 0.95 | 91 %, 0.2 % | 31 %, 0.0 % | | 49 %, 2.5 % |
| .. without 1 and x, 0.98 | 96 %, 0.7 % | 92 %, 0.0 % | 96 %, 5.2 % | 80 %, 3.0 % |
| .. the same within ties | 99 %, 0.7 % | 96 %, 0.0 % | 95 %, 6.0 % | 80 %, 3.0 % |
| .. without 1, x, x^2 and [x > 0] | | 98 %, 0.0 % | | 95 %, 3.9 % |
| feature ablation: without 1 and x, 0.98 | 94 %, 14 % | 79 %, 9.5 % | | 65 %, 3.5 % |
| .. the same within ties | 99 %, 8.7 % | 98 %, 8.3 % | | 65 %, 3.5 % |
| .. without 1, within ties | 100 %, 1.4 % | 87 %, 3.7 % | | |
| .. without 1, x, x^2 and [x > 0] | | 69 %, 8.5 % | | 97 %, 3.7 % |
| occlusion: without 1 and x, 0.98 | 98 %, 0.8 % | | 72 %, 19 % | |
| .. without 1, within ties | 101 %, 0.1 % | | 93 %, 2.6 % | |

(The four directions go at 0.98 on claims9, at 0.99 on fashion_mnist.) No number of them fits all: what names a logit
on claims9 takes four, and a map of 16 cells has hardly one to spare. So as many go, in their order, as are 6 % of the
values that a map of parts has, or 2 % of a gradient's, whose figure counts every direction alike.

Two families have other chains:

- averages of squares (SmoothGrad squared, VarGrad): nothing to cut on digits, where 0.98 costs 7 %; only their length
  goes, which cuts 70 % of VarGrad on claims9. Noise to 0.95 cuts 71 % at 12 %; without the four directions it is 81 %,
  but the mask correlation loses 59 %.
- class activation maps have another shape than the query where that has channels, so that noise alone is left. It is a
  precaution: on fashion_mnist they had nothing to cut.

"saliency" is a gradient that people look at, for whom what a projection takes of deletion may be too much.
"""

from collections.abc import Mapping
from types import MappingProxyType

_LENGTH = "normalize()"
# What is left is a direction, blurred: of any map, whatever its size and shape.
_DIRECTION = "normalize()+cosine_noise(0.98)"
_BLURRED = "normalize()+cosine_noise(0.95)"
# Without its parts along x and 1 a gradient cannot name how a logit grows.
_GRADIENT = "project_out('x,one', share=0.02)+normalize()+cosine_noise(0.99)"
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
