"""MobileNetV2 for small images, one of the networks that DeepLeak audits."""

import jax
from flax import linen as nn

from leakjax._validate import at_least, fail
from leakjax.models import norm as norms
from leakjax.models.model import Model, from_flax
from leakjax.models.norm import Conv, normaliser
from leakjax.models.registry import registered

# Expansion, channels, blocks and first step of each stage: Sandler et al. 2018, table 2; the steps of the stem and of
# the second stage are 1, as is usual for images of 32 x 32.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM, _HEAD = 32, 1280


class MobileNetV2(nn.Module):
    """Inverted residual blocks: widen by 1 x 1, filter each channel by 3 x 3, narrow by 1 x 1."""

    classes: int
    norm: str
    width: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4:
            raise fail("x.shape", x.shape[1:], "mobilenet_v2 needs images [height, width, channels]")

        def normalised(x: jax.Array) -> jax.Array:
            return normaliser(self.norm, x.shape[-1], train)(x)

        x = jax.nn.relu6(normalised(Conv(self._wide(_STEM), (3, 3))(x)))
        for expansion, channels, blocks, first_step in _STAGES:
            for block in range(blocks):
                step = 1 if block else first_step
                inner, inside = x, expansion * x.shape[-1]
                if expansion > 1:
                    inner = jax.nn.relu6(normalised(Conv(inside, (1, 1))(inner)))
                inner = Conv(inside, (3, 3), (step, step), feature_group_count=inside)(inner)
                inner = normalised(Conv(self._wide(channels), (1, 1))(jax.nn.relu6(normalised(inner))))
                x = inner + x if step == 1 and inner.shape == x.shape else inner
        x = jax.nn.relu6(normalised(Conv(self._wide(_HEAD), (1, 1))(x)))
        return nn.Dense(self.classes)(x.mean((1, 2)))

    def _wide(self, channels: int) -> int:
        return max(8, round(self.width * channels / 8) * 8)


@registered
def mobilenet_v2(classes: int, *, norm: str = "batch", width: float = 1.0) -> Model:
    """MobileNetV2 for small images (Sandler et al. 2018).

    Args:
      classes: number of logits, at least 2.
      norm: batch or group.
      width: by which all channels are multiplied, rounded to multiples of 8.

    Returns:
      The model, for images [height, width, channels].

    Raises:
      UsageError: an argument out of its range.
    """
    at_least("classes", classes, 2)
    norms.check(norm)
    if not 0 < width <= 4:
        raise fail("width", width, "must be above 0 and at most 4")
    return from_flax(MobileNetV2(classes, norm, width))
