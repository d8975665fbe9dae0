"""Residual networks for small images: ResNet-18 and the wide network WRN-28-2."""

import jax
from flax import linen as nn

from leakjax._validate import at_least, fail
from leakjax.models import norm as norms
from leakjax.models.model import Model, from_flax
from leakjax.models.norm import Conv, normaliser
from leakjax.models.registry import registered


class ResNet(nn.Module):
    """Stages of basic blocks, each of two 3 x 3 convolutions around a shortcut; every stage but the first halves.

    Attributes:
      classes: number of logits.
      stem: channels of the first convolution, 3 x 3 without pooling, as for images of 32 x 32.
      channels: of each stage.
      blocks: of each stage.
      norm: a name in `leakjax.models.norm.NORMS`.
      before: whether normalisation and rectifier come before a convolution (He et al. 2016b, Zagoruyko
        and Komodakis 2016) or after it (He et al. 2016a).
    """

    classes: int
    stem: int
    channels: tuple[int, ...]
    blocks: int
    norm: str
    before: bool

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4:
            raise fail("x.shape", x.shape[1:], "residual networks need images [height, width, channels]")

        def rectified(x: jax.Array) -> jax.Array:
            return jax.nn.relu(normaliser(self.norm, x.shape[-1], train)(x))

        x = Conv(self.stem, (3, 3))(x)
        x = x if self.before else rectified(x)
        for stage, channels in enumerate(self.channels):
            for block in range(self.blocks):
                step = 2 if stage and not block else 1
                x = self._block(x, channels, step, train)
        x = rectified(x) if self.before else x
        return nn.Dense(self.classes)(x.mean((1, 2)))

    def _block(self, x: jax.Array, channels: int, step: int, train: bool) -> jax.Array:
        def normalised(x: jax.Array) -> jax.Array:
            return normaliser(self.norm, x.shape[-1], train)(x)

        wider = step > 1 or x.shape[-1] != channels
        if self.before:
            inner = jax.nn.relu(normalised(x))
            shortcut = Conv(channels, (1, 1), (step, step))(inner) if wider else x
            inner = Conv(channels, (3, 3), (step, step))(inner)
            inner = Conv(channels, (3, 3))(jax.nn.relu(normalised(inner)))
            return shortcut + inner
        shortcut = normalised(Conv(channels, (1, 1), (step, step))(x)) if wider else x
        inner = jax.nn.relu(normalised(Conv(channels, (3, 3), (step, step))(x)))
        return jax.nn.relu(shortcut + normalised(Conv(channels, (3, 3))(inner)))


@registered
def resnet18(classes: int, *, norm: str = "batch", width: int = 64) -> Model:
    """ResNet-18 for small images: a 3 x 3 stem without pooling (He et al. 2016a).

    Args:
      classes: number of logits, at least 2.
      norm: batch or group.
      width: channels of the first stage; 64, 128, 256, 512 in the paper.

    Returns:
      The model, for images [height, width, channels].

    Raises:
      UsageError: an argument out of its range.
    """
    _check(classes, norm, width)
    channels = tuple(width * 2**stage for stage in range(4))
    return from_flax(ResNet(classes, width, channels, 2, norm, before=False))


@registered
def wrn28_2(classes: int, *, norm: str = "batch", width: int = 16) -> Model:
    """WRN-28-2: 28 layers, twice as wide (Zagoruyko and Komodakis 2016), as Carlini et al. (2022) attack it.

    Args:
      classes: number of logits, at least 2.
      norm: batch or group.
      width: channels of the stem; the stages have 2, 4 and 8 times as many.

    Returns:
      The model, for images [height, width, channels].

    Raises:
      UsageError: an argument out of its range.
    """
    _check(classes, norm, width)
    return from_flax(ResNet(classes, width, (2 * width, 4 * width, 8 * width), 4, norm, before=True))


def _check(classes: int, norm: str, width: int) -> None:
    at_least("classes", classes, 2)
    at_least("width", width, 1)
    norms.check(norm)
