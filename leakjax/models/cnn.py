"""A small convolutional network: two convolutions, one dense layer."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.models.model import Model, Variables, from_flax
from leakjax.models.pooled_convolution import pooled_convolution
from leakjax.models.registry import registered


def max_pool(x: jax.Array) -> jax.Array:
    """The maximum over 2 x 2 windows, [batch, height, width, channels] to half height and width.

    By reshape and pairs: on the CPU more than ten times as fast as `reduce_window`. An odd last row or column
    is left out.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    cells = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    rows = jnp.maximum(cells[:, :, 0], cells[:, :, 1])
    return jnp.maximum(rows[:, :, :, 0], rows[:, :, :, 1])


def convolve_by_products(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """`jax.lax.conv_general_dilated` with stride 1 and zero padding, as one matrix product.

    On the CPU a convolution inside a loop, or vmapped over models to a grouped one, is 10 to 50 times as slow
    as the batched matrix product that becomes of this.

    Args:
      x: images [batch, height, width, in].
      kernel: weights [rows, columns, in, out], rows and columns odd.
      *_: what else a convolution is told; fixed here.
      **__: likewise.

    Returns:
      Images [batch, height, width, out].
    """
    height, width = x.shape[1:3]
    rows, columns, inputs, outputs = kernel.shape
    x = jnp.pad(x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    shifted = [x[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    return jnp.concatenate(shifted, -1) @ kernel.reshape(rows * columns * inputs, outputs)


class PooledConv(nn.Module):
    """`max_pool(activation(nn.Conv(..)(x)))` as one step, with the parameters of the `nn.Conv`."""

    channels: int
    size: int = 3
    activation: str = "relu"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps images [batch, height, width, in] to half height and width."""
        shape = (self.size, self.size, x.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return pooled_convolution(x, kernel, bias, self.activation)


class Cnn(nn.Module):
    """3 x 3 convolutions of `channels` with relu and 2 x 2 max pooling, then a dense layer to `classes`."""

    classes: int
    channels: tuple[int, int]
    convolve: Callable[..., jax.Array] = jax.lax.conv_general_dilated
    pooled: bool = False  # as `PooledConv`, the same function of the same parameters

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4 or min(x.shape[1:3]) < 4:
            raise fail("x.shape", x.shape[1:], "cnn needs images [height, width, channels] of at least 4 x 4")
        for layer, channels in enumerate(self.channels):
            if self.pooled:
                x = PooledConv(channels, name=f"Conv_{layer}")(x)
                continue
            x = max_pool(jax.nn.relu(nn.Conv(channels, (3, 3), conv_general_dilated=self.convolve)(x)))
        return nn.Dense(self.classes)(x.reshape(x.shape[0], -1))


def by_backend(network: Callable[..., nn.Module], *, products: bool) -> Model:
    """A convolutional network, computed as suits the backend.

    Args:
      network: makes the module; takes `convolve`, in place of `jax.lax.conv_general_dilated`, and `pooled`, for layers
        that are a `PooledConv` each. All are the same function of the same variables.
      products: whether `logits_fn` convolves by matrix products, as training does in any case off the CPU; False: by
        convolutions, for explainers that look for them.

    Returns:
      The model.
    """
    by_products = from_flax(network(convolve=convolve_by_products))
    by_windows = from_flax(network(pooled=True))

    def train_fn(variables: Variables, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Variables]:
        chosen = by_windows if jax.default_backend() == "cpu" else by_products
        return chosen.train_fn(variables, x, key)

    observed = by_products if products else from_flax(network())
    return Model(by_products.init, train_fn, observed.logits_fn)


@registered
def cnn(classes: int, *, channels: tuple[int, int] = (16, 32), products: bool = True) -> Model:
    """A small convolutional network: two convolutions, one dense layer.

    Args:
      classes: number of logits, at least 2.
      channels: output channels of the two convolutions.
      products: whether `logits_fn` convolves by matrix products, as training does in any case; False: by
        convolutions, the same function of the same variables, for explainers that look for them.

    Returns:
      The model, for images [height, width, channels] of at least 4 x 4.

    Raises:
      UsageError: fewer than two classes, a convolution without channels; when it is applied, an example
        that is no image.
    """
    at_least("classes", classes, 2)
    for count in channels:
        at_least("channels", count, 1)
    return by_backend(functools.partial(Cnn, classes, channels), products=products)
