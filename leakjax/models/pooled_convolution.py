"""Convolution, bias, rectifier and pooling in one step, for training on the CPU.

The maximum is taken before bias and rectifier, which do not change its place; an 8-bit place is all that the backward
pass needs of it. How the convolution is computed depends on the channels that come in:

- Few: a 2 x 2 pooling window of a 3 x 3 convolution looks at 4 x 4 pixels. All four of its outputs come of one product
  of that patch with a widened kernel, whose four parts are the kernel at its four places in the patch.
- Many: by the library's convolution. Both of its derivatives are written as convolutions of that same form, because
  XLA runs the form that it derives for the kernel 50 times as slowly inside a loop.

Explainers use the plain layers: this one has no forward-mode derivative.
"""

import jax
from jax import numpy as jnp

_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))
_MANY = 8  # channels from which on the library's convolution is faster


@jax.custom_vjp
def pooled_convolution(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """`max_pool(relu(convolve(x, kernel) + bias))`, 3 x 3 with zero padding, pooled over 2 x 2.

    Where two outputs of a window are equal, the first alone gets the gradient.

    Args:
      x: images [batch, height, width, in]; an odd last row or column is not pooled.
      kernel: weights [3, 3, in, out].
      bias: [out].

    Returns:
      Images [batch, height / 2, width / 2, out].
    """
    return _forward(x, kernel, bias)[0]


def _forward(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    patches, outputs = _by_library(x, kernel) if x.shape[-1] >= _MANY else _by_windows(x, kernel)
    largest, *others = outputs
    place = jnp.zeros(largest.shape, jnp.int8)
    for number, output in enumerate(others, 1):  # in pairs: XLA's argmax is many times as slow
        place = jnp.where(output > largest, jnp.int8(number), place)
        largest = jnp.maximum(largest, output)
    pooled = jax.nn.relu(largest + bias[None])
    place = jnp.where(pooled > 0, place, jnp.int8(-1))
    batch, height, width = x.shape[:3]
    return pooled.reshape(batch, height // 2, width // 2, -1), (x, kernel, patches, place)


def _backward(saved: tuple[jax.Array, ...], change: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, kernel, patches, place = saved
    change = change.reshape(place.shape)
    spread = [jnp.where(place == number, change, 0) for number in range(4)]
    back = _back_by_library if x.shape[-1] >= _MANY else _back_by_windows
    return *back(x, kernel, patches, spread), jnp.where(place >= 0, change, 0).sum(0)


pooled_convolution.defvjp(_forward, _backward)


def _by_windows(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """The patches, and the four outputs of every window, [windows, out] each."""
    patches = _patches(x)
    # Two axes: with more of them XLA's CPU products take a slower path.
    products = patches.reshape(-1, patches.shape[-1]) @ _widened(kernel)
    return patches, jnp.split(products, 4, axis=1)


def _back_by_windows(
    x: jax.Array, kernel: jax.Array, patches: jax.Array, spread: list[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the four outputs."""
    change = jnp.concatenate(spread, 1)
    # Kept apart by the barrier: fused with what makes `change`, the product takes twice the time.
    to_wide = jax.lax.optimization_barrier(patches.reshape(-1, patches.shape[-1]).T @ change)
    to_kernel = jax.linear_transpose(_widened, kernel)(to_wide)[0]
    to_patches = (change @ _widened(kernel).T).reshape(patches.shape)
    return jax.linear_transpose(_patches, x)(to_patches)[0], to_kernel


def _by_library(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """Nothing to be saved, and the four outputs of every window, [windows, out] each."""
    batch, rows, columns, channels = x.shape[0], x.shape[1] // 2, x.shape[2] // 2, kernel.shape[-1]
    outputs = _convolve(x, kernel)[:, : 2 * rows, : 2 * columns]
    cells = outputs.reshape(batch, rows, 2, columns, 2, channels)
    return jnp.zeros(0), [cells[:, :, a, :, b].reshape(-1, channels) for a, b in _PLACES]


def _back_by_library(
    x: jax.Array, kernel: jax.Array, _: jax.Array, spread: list[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the four outputs."""
    batch, height, width = x.shape[:3]
    rows, columns, channels = height // 2, width // 2, kernel.shape[-1]
    cells = jnp.stack(spread, 1).reshape(batch, rows, columns, 2, 2, channels)
    change = cells.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * rows, 2 * columns, channels)
    change = jnp.pad(change, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    to_x = _convolve(change, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    # Examples in the role of channels, pixels in that of the kernel.
    to_kernel = _convolve(x.transpose(3, 1, 2, 0), change.transpose(1, 2, 0, 3)).transpose(1, 2, 0, 3)
    return to_x, to_kernel


@jax.custom_batching.sequential_vmap  # over models; batched, it would become a convolution in groups, far slower
def _convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Images [batch, height, width, in] with zeros of one pixel around, by a kernel [rows, columns, in, out]."""
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=numbers)


def _patches(x: jax.Array) -> jax.Array:
    """The 4 x 4 pixels of each pooling window, [batch, height / 2, width / 2, 16 in]."""
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, : 2 * rows + 2, : 2 * columns + 2]
    cells = x.reshape(batch, rows + 1, 2, columns + 1, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    cells = cells.reshape(batch, rows + 1, columns + 1, 4 * channels)
    return jnp.concatenate([cells[:, a : a + rows, b : b + columns] for a, b in _PLACES], -1)


def _widened(kernel: jax.Array) -> jax.Array:
    """The kernel at its four places in the patch, in the order of `_patches`, [16 in, 4 out]."""
    channels, outputs = kernel.shape[2:]
    placed = [jnp.pad(kernel, ((a, 1 - a), (b, 1 - b), (0, 0), (0, 0))) for a, b in _PLACES]
    wide = jnp.stack(placed, 3).reshape(2, 2, 2, 2, channels, 4 * outputs)  # cell, inside; rows, columns
    return wide.transpose(0, 2, 1, 3, 4, 5).reshape(16 * channels, 4 * outputs)
