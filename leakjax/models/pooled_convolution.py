"""Convolution, bias, activation and pooling in one step, for training on the CPU.

The maximum is taken before bias and activation, which, rising, do not change its place; an 8-bit place and the output,
of which the activation's slope is a function, are all that the backward pass needs besides what came in. A few images
at a time go through the whole step, forward and backward, so that what lies between stays in a core's cache; models go
in turn. How the convolution is computed depends on the channels that come in:

- Few: a 2 x 2 pooling window of a 3 x 3 convolution looks at 4 x 4 pixels, of a 5 x 5 one at 6 x 6. All four of its
  outputs come of one product of that patch with a widened kernel, whose four parts are the kernel at its four places
  in the patch.
- Many: by the library's convolution. Both of its derivatives are written as convolutions of that same form, because
  XLA runs the form that it derives for the kernel 50 times as slowly inside a loop. The one by the kernel takes the
  gradient of all the images for its own kernel, and is three times as slow where that leaves the cache.

Explainers use the plain layers: this one has no forward-mode derivative.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
from jax import numpy as jnp


class Activation(NamedTuple):
    """A function that never falls, and its derivative as a function of its own value."""

    value: Callable[[jax.Array], jax.Array]
    slope: Callable[[jax.Array], jax.Array]


ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(jax.nn.relu, lambda value: value > 0),
    "tanh": Activation(jnp.tanh, lambda value: 1 - value**2),
}
_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))
_NUMBERS = ("NHWC", "HWIO", "NHWC")
_MANY = 8  # channels from which on the library's convolution is faster
_GROUP = 2**17  # numbers that come of the convolution of a group, at most: half a megabyte


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def pooled_convolution(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, activation: str = "relu"
) -> jax.Array:
    """`max_pool(activation(convolve(x, kernel) + bias))` with zero padding, pooled over 2 x 2.

    Where two outputs of a window are equal, the first alone gets the gradient.

    Args:
      x: images [batch, height, width, in]; an odd last row or column is not pooled.
      kernel: weights [size, size, in, out], size odd.
      bias: [out].
      activation: a name in `ACTIVATIONS`.

    Returns:
      Images [batch, height / 2, width / 2, out].
    """
    return _forward(x, kernel, bias, activation)[0]


def _forward(
    x: jax.Array, kernel: jax.Array, bias: jax.Array, activation: str
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    value = ACTIVATIONS[activation].value

    @jax.custom_batching.sequential_vmap  # over models; batched, a convolution would become one in groups, far slower
    def forward(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
        def of_group(group: jax.Array) -> tuple[jax.Array, jax.Array]:
            largest, place = _largest(group, kernel)
            return value(largest + bias[None, None, None]), place

        pooled, place = jax.lax.map(of_group, _grouped(x, _size(x, kernel)))
        return _joined(pooled, len(x)), place

    pooled, place = forward(x, kernel, bias)
    return pooled, (x, kernel, place, pooled)


def _backward(
    activation: str, saved: tuple[jax.Array, ...], change: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    return _gradients(*saved[:3], change * ACTIVATIONS[activation].slope(saved[3]))


@jax.custom_batching.sequential_vmap
def _gradients(
    x: jax.Array, kernel: jax.Array, place: jax.Array, change: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """By x, kernel and bias, from those by the largest outputs of all windows, bias added."""

    def back(so_far: jax.Array, group: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        gradients = _back_by_library if x.shape[-1] >= _MANY else _back_by_windows
        x_of_group, place, change = group
        to_x, to_kernel = gradients(x_of_group, kernel, place, change)
        return so_far + to_kernel, to_x

    size = _size(x, kernel)
    groups = _grouped(x, size), place, _grouped(change, size)
    to_kernel, to_x = jax.lax.scan(back, jnp.zeros_like(kernel), groups)
    return _joined(to_x, len(x)), to_kernel, change.sum((0, 1, 2))


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


def _largest(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The largest output of every window of some images, and its place in the window."""
    largest, *others = _by_library(x, kernel) if x.shape[-1] >= _MANY else _by_windows(x, kernel)
    place = jnp.zeros(largest.shape, jnp.int8)
    for number, output in enumerate(others, 1):  # in pairs: XLA's argmax is many times as slow
        place = jnp.where(output > largest, jnp.int8(number), place)
        largest = jnp.maximum(largest, output)
    return largest, place


def _spread(place: jax.Array, change: jax.Array, axes: tuple[int, int]) -> jax.Array:
    """A window's change at the place of its maximum, else 0; rows and columns of the window are new `axes`."""
    numbers = jnp.arange(4, dtype=jnp.int8).reshape([2 if axis in axes else 1 for axis in range(6)])
    return jnp.where(jnp.expand_dims(place, axes) == numbers, jnp.expand_dims(change, axes), 0)


def _by_windows(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
    """The four outputs of every window, [batch, height / 2, width / 2, out] each."""
    patches = _patches(x, len(kernel))
    # Two axes: with more of them XLA's CPU products take a slower path.
    products = patches.reshape(-1, patches.shape[-1]) @ _widened(kernel)
    return jnp.split(products.reshape(*patches.shape[:3], -1), 4, -1)


def _back_by_windows(
    x: jax.Array, kernel: jax.Array, place: jax.Array, change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the pooled outputs."""
    change = _spread(place, change, (3, 4)).reshape(-1, 4 * kernel.shape[3])
    patches = _patches(x, len(kernel))
    # Kept apart by the barrier: fused with what makes `change`, the product takes twice the time.
    to_wide = jax.lax.optimization_barrier(patches.reshape(-1, patches.shape[-1]).T @ change)
    to_kernel = jax.linear_transpose(_widened, kernel)(to_wide)[0]
    to_patches = (change @ _widened(kernel).T).reshape(patches.shape)
    return jax.linear_transpose(lambda x: _patches(x, len(kernel)), x)(to_patches)[0], to_kernel


def _by_library(x: jax.Array, kernel: jax.Array) -> list[jax.Array]:
    """The four outputs of every window, [batch, height / 2, width / 2, out] each."""
    batch, rows, columns, channels = x.shape[0], x.shape[1] // 2, x.shape[2] // 2, kernel.shape[-1]
    outputs = _convolve(x, kernel, len(kernel) // 2)[:, : 2 * rows, : 2 * columns]
    cells = outputs.reshape(batch, rows, 2, columns, 2, channels)
    return [cells[:, :, a, :, b] for a, b in _PLACES]


def _back_by_library(
    x: jax.Array, kernel: jax.Array, place: jax.Array, change: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The gradients by x and by the kernel, from those by the pooled outputs."""
    batch, height, width = x.shape[:3]
    change = _spread(place, change, (2, 4)).reshape(batch, height // 2 * 2, width // 2 * 2, -1)
    change = jnp.pad(change, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    margin = len(kernel) // 2
    to_x = _convolve(change, kernel[::-1, ::-1].transpose(0, 1, 3, 2), margin)
    # Examples in the role of channels, pixels in that of the kernel.
    to_kernel = _convolve(x.transpose(3, 1, 2, 0), change.transpose(1, 2, 0, 3), margin)
    return to_x, to_kernel.transpose(1, 2, 0, 3)


def _convolve(x: jax.Array, kernel: jax.Array, margin: int) -> jax.Array:
    """Images [batch, height, width, in] in a margin of zeros, by a kernel [rows, columns, in, out]."""
    around = ((margin, margin), (margin, margin))
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), around, dimension_numbers=_NUMBERS)


def _patches(x: jax.Array, size: int) -> jax.Array:
    """The pixels that each pooling window looks at, [batch, height / 2, width / 2, (size + 1)^2 in].

    In cells of 2 x 2: first by cell, then inside of it, then by channel.
    """
    batch, height, width, channels = x.shape
    rows, columns, margin, cells = height // 2, width // 2, size // 2, (size + 1) // 2
    x = jnp.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    x = x[:, : 2 * (rows + cells - 1), : 2 * (columns + cells - 1)]
    x = x.reshape(batch, rows + cells - 1, 2, columns + cells - 1, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(*x.shape[:3], 4 * channels)
    places = [(a, b) for a in range(cells) for b in range(cells)]
    return jnp.concatenate([x[:, a : a + rows, b : b + columns] for a, b in places], -1)


def _widened(kernel: jax.Array) -> jax.Array:
    """The kernel at its four places in the patch, in the order of `_patches`, [(size + 1)^2 in, 4 out]."""
    size, _, channels, outputs = kernel.shape
    cells = (size + 1) // 2
    placed = [jnp.pad(kernel, ((a, 1 - a), (b, 1 - b), (0, 0), (0, 0))) for a, b in _PLACES]
    # Of rows the cell and the place inside of it, then of columns.
    wide = jnp.stack(placed, 3).reshape(cells, 2, cells, 2, channels, 4 * outputs)
    return wide.transpose(0, 2, 1, 3, 4, 5).reshape(4 * cells**2 * channels, 4 * outputs)
