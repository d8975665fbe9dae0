"""A residual network and a vision transformer with the same weights in JAX and in PyTorch (extra `bench`)."""

from typing import Any

import jax
import torch
from torch import nn
from torch.nn import functional

from .captum_bridge import CLASSES, Pair, weights_drawn

HEADS = 4
PATCH = 4


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch-norm around a shortcut, which is a 1 x 1 convolution where shapes change."""

    def __init__(self, inputs: int, width: int, step: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, width, 3, step, padding=1, bias=False)
        self.norm0, self.relu0 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.relu1 = nn.BatchNorm2d(width), nn.ReLU()
        if step > 1:
            self.conv2, self.norm2 = nn.Conv2d(inputs, width, 1, step, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images of a batch."""
        inner = self.norm1(self.conv1(self.relu0(self.norm0(self.conv0(x)))))
        return self.relu1(inner + (self.norm2(self.conv2(x)) if hasattr(self, "conv2") else x))


class ResNet(nn.Module):
    """A stem that halves the image, two residual blocks of which the second halves it again, the mean over places."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, width, 3, 2, padding=1, bias=False)
        self.norm0, self.relu0 = nn.BatchNorm2d(width), nn.ReLU()
        self.block0, self.block1 = Block(width, width, 1), Block(width, 2 * width, 2)
        self.dense = nn.Linear(2 * width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        hidden = self.relu0(self.norm0(self.conv0(x)))
        return self.dense(self.block1(self.block0(hidden)).mean((2, 3)))


def resnet(side: int, channels: int, width: int = 16) -> Pair:
    """`ResNet` with frozen statistics away from 0 and 1, for any `side`, and its twin."""
    module = ResNet(channels, width).eval()

    def layer(variables: dict[str, Any], place: str, x: jax.Array, step: int = 1) -> jax.Array:
        kernel = variables[place.format("conv") + ".weight"]
        wide = kernel.shape[0] // 2
        hidden = jax.lax.conv_general_dilated(
            x, kernel, (step, step), [(wide, wide)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        mean, var, scale, shift = (
            variables[place.format("norm") + name].reshape(1, 1, 1, -1)
            for name in (".running_mean", ".running_var", ".weight", ".bias")
        )
        return (hidden - mean) * (jax.lax.rsqrt(var + 1e-5) * scale) + shift

    def logits_fn(variables: dict[str, Any], x: jax.Array) -> jax.Array:
        hidden = jax.nn.relu(layer(variables, "{}0", x[None], 2))
        for block, step in (("block0", 1), ("block1", 2)):
            inner = jax.nn.relu(layer(variables, block + ".{}0", hidden, step))
            inner = layer(variables, block + ".{}1", inner)
            shortcut = layer(variables, block + ".{}2", hidden, step) if step > 1 else hidden
            hidden = jax.nn.relu(inner + shortcut)
        return variables["dense.weight"] @ hidden.mean((0, 1, 2)) + variables["dense.bias"]

    without = {"lrp": "captum's rules send all of the relevance down both sides of an addition"}
    return Pair(logits_fn, weights_drawn(module), module, module.block1.relu1, without)


class Attention(nn.Module):
    """A pre-norm block: attention among the patches, then two dense layers, each added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm0, self.norm1 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.gelu = nn.Linear(width, 4 * width), nn.GELU("tanh")
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Patches of a batch, [batch, patches, width]."""
        parts = self.mixed(self.norm0(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(*parts)
        x = x + self.out(found.transpose(1, 2).flatten(2))
        return x + self.narrow(self.gelu(self.wide(self.norm1(x))))


class Vit(nn.Module):
    """Patches with learned positions, blocks of attention, the mean over the patches."""

    def __init__(self, side: int, channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, PATCH, PATCH)
        self.positions = nn.Parameter(torch.zeros((side // PATCH) ** 2, width))
        self.blocks = nn.Sequential(*(Attention(width) for _ in range(depth)))
        self.norm, self.dense = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        hidden = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.dense(self.norm(self.blocks(hidden)).mean(1))


def vit(side: int, channels: int, width: int = 32, depth: int = 2) -> Pair:
    """`Vit` of patches of 4 x 4 pixels, and its twin."""
    module = Vit(side, channels, width, depth).eval()

    def dense(variables: dict[str, Any], name: str, x: jax.Array) -> jax.Array:
        return x @ variables[f"{name}.weight"].T + variables[f"{name}.bias"][None]

    def norm(variables: dict[str, Any], name: str, x: jax.Array) -> jax.Array:
        scale, shift = variables[f"{name}.weight"][None], variables[f"{name}.bias"][None]
        return jax.nn.standardize(x, epsilon=1e-5) * scale + shift

    def attention(variables: dict[str, Any], name: str, x: jax.Array) -> jax.Array:
        mixed = dense(variables, f"{name}.mixed", norm(variables, f"{name}.norm0", x))
        query, key, value = mixed.reshape(len(x), 3, HEADS, -1).transpose(1, 2, 0, 3)
        shares = jax.nn.softmax(query @ key.swapaxes(1, 2) / query.shape[-1] ** 0.5)
        x = x + dense(variables, f"{name}.out", (shares @ value).swapaxes(0, 1).reshape(x.shape))
        wide = jax.nn.gelu(dense(variables, f"{name}.wide", norm(variables, f"{name}.norm1", x)))
        return x + dense(variables, f"{name}.narrow", wide)

    def logits_fn(variables: dict[str, Any], x: jax.Array) -> jax.Array:
        hidden = jax.lax.conv_general_dilated(
            x[None],
            variables["patches.weight"],
            (PATCH,) * 2,
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        hidden = hidden.reshape(-1, width) + variables["patches.bias"][None] + variables["positions"]
        for block in range(depth):
            hidden = attention(variables, f"blocks.{block}", hidden)
        return dense(variables, "dense", norm(variables, "norm", hidden).mean(0, keepdims=True))[0]

    without = {
        "lrp": "captum has no rule for layer normalisation",
        "deeplift": "captum has no rule for layer normalisation, GELU and products: it answers the gradient there",
        "gradcam": "no layer after the patches is an image",
    }
    return Pair(logits_fn, weights_drawn(module), module, None, without)
