"""The same networks, with the same weights, as JAX functions and as PyTorch modules (extra `bench`)."""

import functools
import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from leakjax.models.cnn import max_pool

CLASSES = 10


class Pair(NamedTuple):
    """One network in both libraries.

    Attributes:
      logits_fn: JAX, logits of one example [height, width, channels].
      variables: Its weights.
      module: PyTorch, logits of a batch [batch, channels, height, width].
      last: The module's layer that is the last spatial activation; None where there is none.
      without: Methods that captum cannot run on it, or not rightly, and why.
    """

    logits_fn: Callable[..., jax.Array]
    variables: dict[str, np.ndarray]
    module: nn.Module
    last: nn.Module | None
    without: Mapping[str, str] = MappingProxyType({})


class Mlp(nn.Sequential):
    """Layers on the flattened input; flattening is no layer, as captum's LRP wants it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        return super().forward(x.flatten(1))


def mlp(side: int, channels: int, width: int = 128, *, biases: float = 0.1) -> Pair:
    """Three dense layers with ReLU between them; `biases` is the deviation of theirs."""
    sizes = (side * side * channels, width, width, CLASSES)
    rng = np.random.default_rng(0)
    variables: dict[str, np.ndarray] = {}
    layers: list[nn.Module] = []
    for place, (fan, out) in enumerate(itertools.pairwise(sizes)):
        weights = rng.normal(size=(fan, out)).astype(np.float32) * np.float32((2 / fan) ** 0.5)
        bias = rng.normal(size=out).astype(np.float32) * np.float32(biases)
        variables |= {f"w{place}": weights, f"b{place}": bias}
        layer = nn.Linear(fan, out)
        layer.load_state_dict({"weight": torch.tensor(weights.T), "bias": torch.tensor(bias)})
        layers += [layer, nn.ReLU()]

    def logits_fn(variables: dict[str, Any], x: jax.Array) -> jax.Array:
        hidden = x.transpose(2, 0, 1).reshape(-1)
        for place in range(3):
            hidden = hidden @ variables[f"w{place}"] + variables[f"b{place}"]
            hidden = jax.nn.relu(hidden) if place < 2 else hidden
        return hidden

    without = {"gradcam": "no layer is an image"}
    return Pair(logits_fn, variables, Mlp(*layers[:-1]).eval(), None, without)


def weights_drawn(module: nn.Module) -> dict[str, np.ndarray]:
    """Gives a module weights and running statistics away from 0 and 1; returns them as JAX lays them out."""
    rng = np.random.default_rng(1)
    state = module.state_dict()
    for name, value in state.items():
        drawn = rng.normal(size=value.shape) / max(1, np.prod(value.shape[1:])) ** 0.5
        if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            drawn = rng.uniform(0.5, 1.5, size=value.shape)
        elif value.ndim < 2:
            drawn = drawn / 10
        state[name] = torch.tensor(drawn).to(value.dtype)
    module.load_state_dict(state)
    return {
        name: np.asarray(v.numpy().transpose(2, 3, 1, 0) if v.ndim == 4 else v.numpy())
        for name, v in state.items()
    }


class Cnn(nn.Module):
    """Two convolutions with batch-norm, ReLU and pooling, then a dense layer."""

    def __init__(self, side: int, channels: int, width: int, pool: str) -> None:
        super().__init__()
        pooling = nn.AvgPool2d if pool == "mean" else nn.MaxPool2d
        self.conv0 = nn.Conv2d(channels, width, 3, padding=1)
        self.norm0, self.relu0, self.pool0 = nn.BatchNorm2d(width), nn.ReLU(), pooling(2)
        self.conv1 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm1, self.relu1, self.pool1 = nn.BatchNorm2d(2 * width), nn.ReLU(), pooling(2)
        self.dense = nn.Linear((side // 4) ** 2 * 2 * width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        hidden = self.pool0(self.relu0(self.norm0(self.conv0(x))))
        hidden = self.pool1(self.relu1(self.norm1(self.conv1(hidden))))
        return self.dense(hidden.flatten(1))


def cnn(side: int, channels: int, width: int = 16, *, pool: str = "cells", plain: bool = False) -> Pair:
    """`Cnn` with running statistics away from 0 and 1, and its twin.

    Pooling by "cells" is leakjax's own, the fastest on a CPU, which shares among equal maxima; by "windows" a
    window reduction, which picks the first of them as PyTorch does; by "mean" an average. A `plain` twin calls
    XLA's convolution for its first layer too.
    """
    module = Cnn(side, channels, width, pool).eval()
    variables = weights_drawn(module)

    def logits_fn(variables: dict[str, Any], x: jax.Array) -> jax.Array:
        hidden = x[None]
        for layer in ("0", "1"):
            kernel = variables[f"conv{layer}.weight"]
            hidden = (convolve if plain else convolve_fast)(hidden, kernel)
            bias, mean, var, scale, shift = (
                variables[name].reshape(1, 1, 1, -1)
                for name in (
                    f"conv{layer}.bias",
                    f"norm{layer}.running_mean",
                    f"norm{layer}.running_var",
                    f"norm{layer}.weight",
                    f"norm{layer}.bias",
                )
            )
            hidden = (hidden + bias - mean) * (jax.lax.rsqrt(var + 1e-5) * scale) + shift
            hidden = jax.nn.relu(hidden)
            if pool == "windows":
                hidden = jax.lax.reduce_window(
                    hidden, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
                )
                continue
            if pool == "cells":
                hidden = max_pool(hidden)
                continue
            _, rows, columns, wide = hidden.shape
            hidden = hidden.reshape(1, rows // 2, 2, columns // 2, 2, wide).mean((2, 4))
        flat = hidden.transpose(0, 3, 1, 2).reshape(-1)
        return jnp.dot(variables["dense.weight"], flat) + variables["dense.bias"]

    return Pair(logits_fn, variables, module, module.relu1)


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A 3 x 3 convolution of images [batch, height, width, channels]."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def convolve_fast(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The same; of one channel, with which XLA is slow on a CPU, as nine products with shifted images."""
    if kernel.shape[2] > 1:
        return convolve(x, kernel)
    _, rows, columns, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + rows, j : j + columns] @ kernel[i, j] for i in range(3) for j in range(3)]
    return functools.reduce(jnp.add, parts)


def to_torch(xs: np.ndarray) -> torch.Tensor:
    """[batch, height, width, channels] to [batch, channels, height, width]."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(np.asarray(xs), -1, 1)))


def from_torch(maps: torch.Tensor) -> np.ndarray:
    """[batch, channels, height, width] to [batch, height, width, channels]."""
    return np.moveaxis(maps.detach().numpy(), 1, -1)
