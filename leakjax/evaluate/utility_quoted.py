"""Which figure of utility is quoted for which explainer, fixed before any search, and when a loss counts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax.evaluate.utility_curves import curve_gain
from leakjax.evaluate.utility_local import local_correlation, mask_correlation

# Every one is f, x, attribution, *, key -> scalar, of one example, with chance at 0.
FIGURES: Mapping[str, Callable[..., jax.Array]] = MappingProxyType(
    {
        "curve_gain": curve_gain,
        "local_correlation": local_correlation,
        "mask_correlation": mask_correlation,
    }
)


class Quoted(NamedTuple):
    """One row of the table.

    Attributes:
      figure: a name in `FIGURES`.
      reason: why it is the one for the family.
    """

    figure: str
    reason: str


QUOTED: Mapping[str, Quoted] = MappingProxyType(
    {
        "gradient": Quoted("local_correlation", "a gradient promises the change of the output for a small step"),
        "additive": Quoted("curve_gain", "its values promise shares of the output, so their order must find them"),
        "class activation": Quoted("curve_gain", "it says where the model looks and has no sign or unit to check"),
        "surrogate": Quoted("curve_gain", "its weights are fitted to outputs of masked inputs, as deletion makes them"),
        "rectified": Quoted("curve_gain", "it keeps what speaks for the class alone and predicts no change"),
    }
)  # fmt: skip
FAMILY_OF: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(["gradient", "smoothgrad"], "gradient"),
        **dict.fromkeys(
            ["input_x_gradient", "integrated_gradients", "gradient_shap", "deeplift", "lrp", "exact_shapley",
             "shapley_sampling", "occlusion", "feature_ablation", "feature_permutation"],
            "additive",
        ),
        **dict.fromkeys(["gradcam", "gradcam_pp"], "class activation"),
        **dict.fromkeys(["lime", "kernel_shap"], "surrogate"),
        **dict.fromkeys(
            ["guided_backprop", "deconvnet", "guided_gradcam", "smoothgrad_squared", "vargrad"], "rectified"
        ),
    }
)  # fmt: skip
# A plain method must beat chance by so many standard errors before a loss is a loss of something.
_STANDARD_ERRORS = 3


class Loss(NamedTuple):
    """What a defense costs in one figure, over examples.

    Attributes:
      plain: mean figure of the plain maps, chance at 0.
      hardened: mean figure of the hardened maps.
      lost: share of the plain figure that is gone, below 0 for a gain; NaN where `counts` is False.
      error: standard error of `lost`, paired over examples.
      counts: whether the plain figure is above chance by three standard errors.
    """

    plain: Any
    hardened: Any
    lost: Any
    error: Any
    counts: Any


def quoted(explainer: str) -> str:
    """The name of the figure that is quoted for an explainer; an own explainer is quoted as additive."""
    return QUOTED[FAMILY_OF.get(explainer, "additive")].figure


def loss(plain: jax.Array, hardened: jax.Array) -> Loss:
    """The share of a figure that a defense takes.

    Args:
      plain: [examples], the figure of each plain map, chance at 0.
      hardened: [examples], of the hardened map of the same example; leading axes may hold settings.

    Returns:
      `Loss`, scalars or of the leading axes.
    """
    count = plain.shape[-1]
    mean, after = plain.mean(axis=-1), hardened.mean(axis=-1)
    counts = mean > _STANDARD_ERRORS * plain.std(axis=-1, ddof=1) / count**0.5
    safe = jnp.where(counts, mean, 1.0)
    # The ratio of means varies as hardened - kept * plain does (delta method).
    kept = after / safe
    rest = hardened - jnp.expand_dims(kept, -1) * jnp.broadcast_to(plain, hardened.shape)
    error = rest.std(axis=-1, ddof=1) / count**0.5 / safe
    return Loss(mean, after, jnp.where(counts, 1 - kept, jnp.nan), jnp.where(counts, error, jnp.nan), counts)
