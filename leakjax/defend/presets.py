"""Recommended chains by the name of an explainer, for text "preset:NAME": one for every explainer that gives a map.

`PRESETS["NAME"]` is safe on tables, and "image.NAME" is what images can do with. They differ by measurement: on a table
the map's part along the query names the logit and noise alone leaves most of the leak, on images noise is enough and
`project_out` costs more than it hides. "saliency" is a gradient that people look at: image.gradient by another name.

A chain goes to a whole family, chosen on shadows alone, of `normalize()+cosine_noise(c)` with and without
`project_out()` before it, c of 0.98, 0.95, 0.9, and the signs of the top quarter. The rule: the least loss of the
figure of utility that is quoted for the family (`leakjax.evaluate.utility_quoted`) at which 90 % is cut of what each of
its measured methods adds to the label; where that costs more than 3 %, the least loss at which 75 % is cut; where
nothing cuts so much, the mildest noise after `project_out`. Where shadows show nothing to cut, only lengths go.

- images (digits): 0.98 cuts 77 % of a gradient at 2.0 %, 0.95 costs 5.1 %. Of all others 0.95 cuts 78 to 93 % at a loss
  of 0.2 to 1.5 %; `project_out` and 0.98 cut 90 to 97 % at a loss of 0.7 to 14 %.
- tables (claims9): `project_out` and 0.98 cut 100 % of a gradient at 3.3 %, 80 % of input x gradient at 3.0 %, 65 % of
  feature ablation at 3.5 % (at c of 0.9 71 %, at 6.2 %); 0.95 alone cuts 69, 49 and 36 %.
- squared and rectified averages (SmoothGrad squared, VarGrad): nothing to cut on either, and 0.98 costs 7 %.
"""

from collections.abc import Mapping
from types import MappingProxyType

_LENGTH = "normalize()"
# What is left is a direction, blurred: of any map, whatever its size and shape.
_DIRECTION = "normalize()+cosine_noise(0.98)"
_BLURRED = "normalize()+cosine_noise(0.95)"
# Without the parts along 1 and x a map cannot name a logit by its sum.
_WITHOUT_SUMS = "project_out()+normalize()+cosine_noise(0.98)"

_IMAGE = "image."
_GRADIENTS = ("gradient", "smoothgrad")
_SQUARES = ("smoothgrad_squared", "vargrad")
_OTHERS = (
    "input_x_gradient", "integrated_gradients", "gradient_shap", "deeplift", "lrp", "guided_backprop", "deconvnet",
    "occlusion", "feature_ablation", "feature_permutation", "shapley_sampling", "exact_shapley", "kernel_shap", "lime",
)  # fmt: skip
_IMAGES_ALONE = ("gradcam", "gradcam_pp", "guided_gradcam")

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys([*_GRADIENTS, *_OTHERS], _WITHOUT_SUMS),
        **dict.fromkeys(_SQUARES, _LENGTH),
        **dict.fromkeys(_IMAGES_ALONE, _BLURRED),
        **dict.fromkeys(["saliency", *(f"{_IMAGE}{name}" for name in _GRADIENTS)], _DIRECTION),
        **dict.fromkeys([f"{_IMAGE}{name}" for name in _OTHERS], _BLURRED),
    }
)


def preset_of(explainer: str, shape: tuple[int, ...]) -> str | None:
    """The name of the preset of an explainer; None where it is not one of ours.

    Args:
      explainer: its name, without options.
      shape: of one input; images have three axes.
    """
    names = [f"{_IMAGE}{explainer}"] if len(shape) == 3 else []
    return next((name for name in [*names, explainer] if name in PRESETS), None)
