"""Convolution, bias, rectifier and pooling as one product over whole pooling windows, for training on the CPU.

A 2 x 2 pooling window of a 3 x 3 convolution looks at 4 x 4 pixels. All four of its outputs come of one product of that
patch with a widened kernel, whose four parts are the kernel at its four places in the patch. The maximum is taken
before bias and rectifier, which do not change its place; an 8-bit place is all that the backward pass needs of it.
Explainers use the plain form: this one has no forward-mode derivative.
"""

import jax
from jax import numpy as jnp

_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


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
    patches = _patches(x)
    batch, height, width, numbers = patches.shape
    # Two axes: with more of them XLA's CPU products take a slower path.
    products = patches.reshape(-1, numbers) @ _widened(kernel)
    largest, *others = jnp.split(products, 4, axis=1)
    place = jnp.zeros(largest.shape, jnp.int8)
    for number, output in enumerate(others, 1):  # in pairs: XLA's argmax is many times as slow
        place = jnp.where(output > largest, jnp.int8(number), place)
        largest = jnp.maximum(largest, output)
    pooled = jax.nn.relu(largest + bias[None])
    place = jnp.where(pooled > 0, place, jnp.int8(-1))
    return pooled.reshape(batch, height, width, -1), (x, kernel, patches, place)


def _backward(saved: tuple[jax.Array, ...], change: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, kernel, patches, place = saved
    numbers, channels = patches.shape[-1], kernel.shape[-1]
    change = change.reshape(-1, channels)
    spread = jnp.concatenate([jnp.where(place == number, change, 0) for number in range(4)], 1)
    # Turned round, and kept so by the barrier, this product takes half the time.
    turned = jax.lax.optimization_barrier(spread.T @ patches.reshape(-1, numbers))
    to_kernel = jax.linear_transpose(_widened, kernel)(turned.T)[0]
    to_patches = (spread @ _widened(kernel).T).reshape(patches.shape)
    to_x = jax.linear_transpose(_patches, x)(to_patches)[0]
    return to_x, to_kernel, jnp.where(place >= 0, change, 0).sum(0)


pooled_convolution.defvjp(_forward, _backward)


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
