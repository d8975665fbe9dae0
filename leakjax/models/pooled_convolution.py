"""Convolution, bias, rectifier and pooling in one step, for training on the CPU.

The maximum is taken before bias and rectifier, which do not change its place; an 8-bit place is all that the backward
pass needs besides what came in. A few images at a time go through the whole step, forward and backward, so that what
lies between stays in a core's cache; models go in turn. How the convolution is computed depends on the channels that
come in:

- Few: a 2 x 2 pooling window of a 3 x 3 convolution looks at 4 x 4 pixels. All four of its outputs come of one product
  of that patch with a widened kernel, whose four parts are the kernel at its four places in the patch.
- Many: by the library's convolution. Both of its derivatives are written as convolutions of that same form, because
  XLA runs the form that it derives for the kernel 50 times as slowly inside a loop. The one by the kernel takes the
  gradient of all the images for its own kernel, and is three times as slow where that leaves the cache.

Explainers use the plain layers: this one has no forward-mode derivative.
"""

import jax
from jax import numpy as jnp

_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))
_MANY = 8  # channels from which on the library's convolution is faster
_GROUP = 2**17  # numbers that come of the convolution of a group, at most: half a megabyte


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


@jax.custom_batching.sequential_vmap  # over models; batched, a convolution would become one in groups, far slower
def _forward(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    pooled, place = jax.lax.map(lambda group: _pooled(group, kernel, bias), _grouped(x, _size(x, kernel)))
    return _joined(pooled, len(x)), (x, kernel, place)


@jax.custom_batching.sequential_vmap
def _backward(saved: tuple[jax.Array, ...], change: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, kernel, place = saved

    def back(so_far: tuple[jax.Array, jax.Array], group: tuple[jax.Array, ...]) -> tuple[tuple, jax.Array]:
        x, place, change = group
        gradients = _back_by_library if x.shape[-1] >= _MANY else _back_by_windows
        to_x, to_kernel = gradients(x, kernel, place, change)
        to_bias = jnp.where(place >= 0, change, 0).sum((0, 1, 2))
        return (so_far[0] + to_kernel, so_far[1] + to_bias), to_x

    size = _size(x, kernel)
    nothing = jnp.zeros_like(kernel), jnp.zeros(kernel.shape[3:], kernel.dtype)
    (to_kernel, to_bias), to_x = jax.lax.scan(
        back, nothing, (_grouped(x, size), place, _grouped(change, size))
    )
    return _joined(to_x, len(x)), to_kernel, to_bias


pooled_convolution.defvjp(_forward, _backward)


def _grouped(array: jax.Array, size: int) -> jax.Array:
    """[groups, size, ...], the last group filled up with zeros, from which no gradient comes."""
    array = jnp.pad(array, [(0, -len(array) % size), *[(0, 0)] * (array.ndim - 1)])
    return array.reshape(-1, size, *array.shape[1:])


def _joined(groups: jax.Array, batch: int) -> jax.Array:
    return groups.reshape(-1, *groups.shape[2:])[:batch]


def _size(x: jax.Array, kernel: jax.Array) -> int:
    """Images of a group: a power of two that fits the cache, half of them at most.

    A loop of one turn would be no loop to XLA, which then lays the arrays out for their neighbours: four times as slow.
    """
    fitting = max(_GROUP // (x.shape[1] * x.shape[2] * kernel.shape[3]), 1)
    return min(1 << fitting.bit_length() - 1, -(-len(x) // 2))


def _pooled(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What comes of some images, and the place of the maximum in its window, -1 where the rectifier shuts it out."""
    largest, *others = _by_library(x, kernel) if x.shape[-1] >= _MANY else _by_windows(x, kernel)
    place = jnp.zeros(largest.shape, jnp.int8)
    for number, output in enumerate(others, 1):  # in pairs: XLA's argmax is many times as slow
        place = jnp.where(output > largest, jnp.int8(number), place)
        largest = jnp.maximum(largest, output)
    pooled = jax.nn.relu(largest + bias[None, None, None])
    return pooled, jnp.where(pooled > 0, place, jnp.int8(-1))


def _spread(place: jax.Array, change: jax.Array, axes: tuple[int, int]) -> jax.Array:
    """A window's change at the place of its maximum, else 0; rows and columns of the window are new `axes`."""
    numbers = jnp.arange(4, dtype=jnp.int8).reshape([2 if axis in axes else 1 for axis in range(6)])
    return jnp.where(jnp.expand_dims(place, axes) == numbers, jnp.expand_dims(change, axes), 0)


def _by_windows(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
    """The four outputs of every window, [batch, height / 2, width / 2, out] each."""
    patches = _patches(x)
    # Two axes: with more of them XLA's CPU products take a slower path.
    products = patches.reshape(-1, patches.shape[-1]) @ _widened(kernel)
    return jnp.split(products.reshape(*patches.shape[:3], -1), 4, -1)


def _back_by_windows(
    x: jax.Array, kernel: jax.Array, place: jax.Array, change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the pooled outputs."""
    change = _spread(place, change, (3, 4)).reshape(-1, 4 * kernel.shape[3])
    patches = _patches(x)
    # Kept apart by the barrier: fused with what makes `change`, the product takes twice the time.
    to_wide = jax.lax.optimization_barrier(patches.reshape(-1, patches.shape[-1]).T @ change)
    to_kernel = jax.linear_transpose(_widened, kernel)(to_wide)[0]
    to_patches = (change @ _widened(kernel).T).reshape(patches.shape)
    return jax.linear_transpose(_patches, x)(to_patches)[0], to_kernel


def _by_library(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
    """The four outputs of every window, [batch, height / 2, width / 2, out] each."""
    batch, rows, columns, channels = x.shape[0], x.shape[1] // 2, x.shape[2] // 2, kernel.shape[-1]
    outputs = _convolve(x, kernel)[:, : 2 * rows, : 2 * columns]
    cells = outputs.reshape(batch, rows, 2, columns, 2, channels)
    return [cells[:, :, a, :, b] for a, b in _PLACES]


def _back_by_library(
    x: jax.Array, kernel: jax.Array, place: jax.Array, change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the pooled outputs."""
    batch, height, width = x.shape[:3]
    change = _spread(place, change, (2, 4)).reshape(batch, height // 2 * 2, width // 2 * 2, -1)
    change = jnp.pad(change, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    to_x = _convolve(change, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    # Examples in the role of channels, pixels in that of the kernel.
    to_kernel = _convolve(x.transpose(3, 1, 2, 0), change.transpose(1, 2, 0, 3)).transpose(1, 2, 0, 3)
    return to_x, to_kernel


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
