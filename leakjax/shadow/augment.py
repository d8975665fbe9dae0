"""Random flips and shifts of a batch of images, inside the compiled step."""

import jax
from jax import numpy as jnp

from leakjax._validate import fail


def augment(x: jax.Array, key: jax.Array, *, flip: bool, shift: int) -> jax.Array:
    """Mirrors and moves each image of a batch by draws of its own.

    Args:
      x: images [batch, height, width, channels].
      key: of this batch.
      flip: whether an image is mirrored left to right with probability 1/2.
      shift: pixels by which it is moved at most, each way, every distance equally likely; zeros move in.

    Returns:
      Images of the same shape.

    Raises:
      UsageError: `x` is not a batch of images.
    """
    if not (flip or shift):
        return x
    if x.ndim != 4:
        raise fail("x.shape", x.shape[1:], "flip and shift need images [height, width, channels]")
    flip_key, shift_key = jax.random.split(key)
    if flip:
        mirrored = jax.random.bernoulli(flip_key, shape=(len(x), 1, 1, 1))
        x = jnp.where(mirrored, x[:, :, ::-1], x)
    if shift:
        corners = jax.random.randint(shift_key, (len(x), 2), 0, 2 * shift + 1)
        padded = jnp.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)))

        def window(image: jax.Array, corner: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice(image, (*corner, 0), x.shape[1:])

        x = jax.vmap(window)(padded, corners)
    return x
