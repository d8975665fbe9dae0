"""The hardening that DeepLeak proposes, under its name."""

from leakjax.defend.clip import clip_values
from leakjax.defend.defense import Defense, chain
from leakjax.defend.domain import Number
from leakjax.defend.grid import round_to
from leakjax.defend.noise import gaussian_noise
from leakjax.defend.pointwise import drop_below
from leakjax.defend.registry import registered


@registered
def deepleak(sigma: Number = 0.05, bound: float = 1.0, digits: int = 2, threshold: Number = 0.05) -> Defense:
    """Noise, clamping, rounding, then small values to zero: the four steps that DeepLeak combines.

    Source: Ben Hmida et al., "DeepLeak" (arXiv 2601.03429): noise, clipping and masking of attributions. The order and
    the default strengths are ours, for maps of values around 1. It claims no privacy.

    Args:
      sigma: standard deviation of the noise, in the unit of the attribution; may be traced.
      bound: values are clamped to [-bound, bound].
      digits: decimals that stay.
      threshold: magnitudes below it become 0; may be traced.

    Returns:
      The defense, a chain of its four stages.

    Raises:
      UsageError: as of the stages.
    """
    return chain(gaussian_noise(sigma), clip_values(-bound, bound), round_to(digits), drop_below(threshold))
