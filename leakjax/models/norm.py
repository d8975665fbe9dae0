"""The normalisation of a convolutional network: over the batch, or within an example."""

import math
from collections.abc import Callable
from functools import partial

import jax
from flax import linen as nn

from leakjax._validate import fail

NORMS = ("batch", "group")
_GROUPS = 8


def check(norm: str) -> None:
    """Raises UsageError unless `norm` is a name in `NORMS`."""
    if norm not in NORMS:
        raise fail("norm", norm, f"must be one of {', '.join(NORMS)}")


def normaliser(norm: str, channels: int, train: bool) -> Callable[[jax.Array], jax.Array]:
    """A new normalisation layer.

    Args:
      norm: "batch", whose statistics move in training and are frozen otherwise; "group", over 8 groups of
        channels of one example, which private training and small batches need.
      channels: of what is normalised.
      train: whether the network is trained.

    Returns:
      The layer.
    """
    if norm == "batch":
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)
    return nn.GroupNorm(num_groups=math.gcd(channels, _GROUPS))


# Kernels of He et al. 2015, as networks with rectifiers are started.
Conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.he_normal())
