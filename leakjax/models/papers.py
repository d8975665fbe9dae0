"""The tanh networks of the papers that attacked explanations and predictions before us.

Shokri, Strobel and Zick (2021, section 4.2) take over the networks of Shokri et al. (2017): fully connected with tanh,
for CIFAR two convolutions in front. Where they name no sizes, those are taken that later attacks and defenses on the
same data use (Nasr et al. 2018; SELENA, Tang et al. 2022, `models/purchase.py`).
"""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn
from jax import numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.models.cnn import PooledConv, by_backend, max_pool
from leakjax.models.mlp import mlp
from leakjax.models.model import Model
from leakjax.models.registry import registered

_DEEP = (1024, 512, 256, 128)


@registered
def purchase(classes: int, *, dropout: float = 0.0) -> Model:
    """The network of the Purchase data (600 binary features, 100 classes): tanh layers of 1024, 512, 256, 128.

    Args:
      classes: number of logits, at least 2.
      dropout: share of units left out in training, after the last hidden layer's.

    Returns:
      The model.
    """
    return mlp(classes, widths=_DEEP, dropout=dropout)


@registered
def texas(classes: int, *, dropout: float = 0.0) -> Model:
    """The network of the Texas hospital stays (6,169 binary features, 100 classes): as `purchase`."""
    return mlp(classes, widths=_DEEP, dropout=dropout)


@registered
def adult(classes: int) -> Model:
    """The network of the Adult data (104 features, 2 classes): one tanh layer of 128 (Shokri et al. 2017)."""
    return mlp(classes, widths=(128,))


@registered
def hospital(classes: int) -> Model:
    """The network of the diabetic hospital data (127 features, 2 classes): as `adult`, says the paper."""
    return adult(classes)


@registered
def synthetic(classes: int, *, size: str = "base") -> Model:
    """The networks of the synthetic data (Shokri, Strobel and Zick 2021, section 4.4 and figure 14).

    Args:
      classes: number of logits, at least 2.
      size: small (one tanh layer of 5), base (two of 50) or big (three of 100).

    Returns:
      The model.

    Raises:
      UsageError: another size.
    """
    sizes = {"small": (5,), "base": (50, 50), "big": (100, 100, 100)}
    if size not in sizes:
        raise fail("size", size, f"must be one of {', '.join(sizes)}")
    return mlp(classes, widths=sizes[size])


class CifarTanh(nn.Module):
    """Two 5 x 5 convolutions of 32 channels with tanh and 2 x 2 pooling, a tanh layer of 128, the logits."""

    classes: int
    convolve: Callable[..., jax.Array] = jax.lax.conv_general_dilated
    pooled: bool = False  # as `PooledConv`, the same function of the same parameters

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4 or min(x.shape[1:3]) < 4:
            raise fail("x.shape", x.shape[1:], "cifar_tanh needs images of at least 4 x 4")
        for layer in range(2):
            if self.pooled:
                x = PooledConv(32, 5, "tanh", name=f"Conv_{layer}")(x)
                continue
            x = max_pool(jnp.tanh(nn.Conv(32, (5, 5), conv_general_dilated=self.convolve)(x)))
        x = jnp.tanh(nn.Dense(128)(x.reshape(x.shape[0], -1)))
        return nn.Dense(self.classes)(x)


@registered
def cifar_tanh(classes: int, *, products: bool = True) -> Model:
    """The network of CIFAR: two convolutions with pooling, then a tanh layer of 128 (Shokri et al. 2017).

    Args:
      classes: number of logits, at least 2.
      products: as of `cnn`.

    Returns:
      The model, for images of at least 4 x 4.

    Raises:
      UsageError: fewer than two classes; when it is applied, an example that is no image.
    """
    at_least("classes", classes, 2)
    return by_backend(functools.partial(CifarTanh, classes), products=products)
