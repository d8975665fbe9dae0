"""A small convolutional network: two convolutions, one dense layer."""

import jax
from flax import linen as nn

from leakjax._validate import at_least, fail
from leakjax.models.model import Model, from_flax


def max_pool(x: jax.Array) -> jax.Array:
    """The maximum over 2 x 2 windows, [batch, height, width, channels] to half height and width.

    By reshape: on the CPU ten times as fast as `reduce_window`. An odd last row or column is left out.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max((2, 4))


class Cnn(nn.Module):
    """3 x 3 convolutions of `channels` with relu and 2 x 2 max pooling, then a dense layer to `classes`."""

    classes: int
    channels: tuple[int, int]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4 or min(x.shape[1:3]) < 4:
            raise fail("x.shape", x.shape[1:], "cnn needs images [height, width, channels] of at least 4 x 4")
        for channels in self.channels:
            x = max_pool(jax.nn.relu(nn.Conv(channels, (3, 3))(x)))
        return nn.Dense(self.classes)(x.reshape(x.shape[0], -1))


def cnn(classes: int, *, channels: tuple[int, int] = (16, 32)) -> Model:
    """A small convolutional network: two convolutions, one dense layer.

    Args:
        classes: number of logits, at least 2.
        channels: output channels of the two convolutions.

    Returns:
        The model, for images [height, width, channels] of at least 4 x 4.

    Raises:
        UsageError: fewer than two classes, a convolution without channels; when it is applied, an example
            that is no image.
    """
    at_least("classes", classes, 2)
    for count in channels:
        at_least("channels", count, 1)
    return from_flax(Cnn(classes, channels))
