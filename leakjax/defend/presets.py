"""Recommended chains by the name of an explainer, for text "preset:NAME".

The figure of utility that decides is the one that is quoted for the family (`leakjax.evaluate.utility_quoted`), of which
at most 3 % may go. Where they come from, each named by what is known of it:

- the direction with noise (`normalize()+cosine_noise(c)`) is what `experiments.harden` recommended for the gradient of
  the true class on digits, searched on 48 shadows and measured once on 32 targets: at c = 0.98 what gradient and label
  add to the label falls from 2.4 to 0.6 points of members caught at 1 % false alarms, a cut of 74 % (55 to 91), at a
  loss of 2.0 % of the local correlation. 0.97, which loses 3 %, was not measured on targets. `project_out` before it
  hides more and costs a gradient 5 % of that figure and all of its use for deletion, so it is in no preset of a map
  that people look at as saliency;
- `project_out` for shares is from trials on shadows of digits and fashion_mnist (a cut of 76 to 90 % for integrated
  gradients and input x gradient, at most 1 % of the gain of deletion lost); the search has not repeated it on targets;
- class activation maps and rectified maps were given the gradient's chain, without a measurement of their own.
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
