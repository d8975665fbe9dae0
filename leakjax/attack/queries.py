"""Inputs near a point that an attacker asks about beside the point itself, and the distance to the boundary."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

SCALES = (0.8, 1.25, 0.5, 2.0)


def neighbours(x: jax.Array, count: int, *, noise: float, key: jax.Array) -> jax.Array:
    """The point scaled by `SCALES`, then steps of Gaussian noise.

    Args:
      x: [...], one example.
      count: how many, the scaled ones first.
      noise: standard deviation of a step in every feature.
      key: of the steps.

    Returns:
      [count, ...].
    """
    scaled = [scale * x for scale in SCALES[:count]]
    steps = noise * jax.random.normal(key, (max(0, count - len(SCALES)), *x.shape))
    return jnp.concatenate([jnp.stack(scaled), x[None] + steps])


def shifts(image: jax.Array, pixels: int) -> jax.Array:
    """An image [height, width, channels] moved by so many pixels up, down, left and right, and mirrored: [5, ...].

    Source: Choquette-Choo et al. (arXiv 2007.14321), section 4.1.
    """
    padded = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
    at = lambda down, right: jax.lax.dynamic_slice(padded, (down, right, 0), image.shape)
    moved = [at(0, pixels), at(2 * pixels, pixels), at(pixels, 0), at(pixels, 2 * pixels)]
    return jnp.stack([*moved, image[:, ::-1]])


def removals(x: jax.Array, attribution: jax.Array, steps: int, *, baseline: float = 0.0) -> jax.Array:
    """The point without its most important features, ever more of them, and without its least important ones.

    Args:
      x: [...], one example.
      attribution: of the same shape, or one that broadcasts to it; importance is its magnitude.
      steps: how many shares of the features are taken away, evenly from none (left out) to all.
      baseline: what is put in place of a feature.

    Returns:
      [2 x steps, ...]: most important first, then least important first.

    Source: Liu, Wu, Yu & Zhang, "Please Tell Me More" (S&P 2024), section 4.1.
    """
    size = jnp.broadcast_to(jnp.abs(attribution), x.shape).reshape(-1)
    rank = jnp.argsort(jnp.argsort(-size))  # 0 is the most important; equal ones in the order of the features
    cut = (jnp.arange(1, steps + 1) * len(rank)) // steps
    most = rank[None] < cut[:, None]
    least = rank[None] >= len(rank) - cut[:, None]
    gone = jnp.concatenate([most, least])
    return jnp.where(gone, baseline, x.reshape(1, -1)).reshape(-1, *x.shape)


def boundary_distance(
    predict: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    label: jax.Array,
    *,
    directions: int,
    farthest: float,
    halvings: int,
    key: jax.Array,
) -> jax.Array:
    """The least distance, along random directions, at which the predicted class is no longer the true one.

    Label-only: it asks `directions` x (`halvings` + 1) labels. Source: Choquette-Choo et al. (arXiv 2007.14321),
    section 4.2, with random directions in place of HopSkipJump, which needs some thousand queries a point.

    Args:
      predict: from one example to its class.
      x: [...], one example.
      label: its true class.
      directions: how many.
      farthest: where the search ends, in the 2-norm.
      halvings: of the distance between a right and a wrong label.
      key: of the directions.

    Returns:
      A scalar; 0 where the class is wrong at x itself, `farthest` where it is right everywhere.
    """
    steps = jax.random.normal(key, (directions, *x.shape))
    norms = jnp.sqrt(jnp.sum(steps.reshape(directions, -1) ** 2, axis=1))
    steps = steps / norms.reshape(-1, *(1,) * x.ndim)

    def along(step: jax.Array) -> jax.Array:
        right = lambda distance: predict(x + distance * step) == label

        def halve(ends: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
            low, high = ends
            middle = (low + high) / 2
            inside = right(middle)
            return (jnp.where(inside, middle, low), jnp.where(inside, high, middle)), None

        ends = (jnp.asarray(0.0), jnp.asarray(farthest))
        (low, high), _ = jax.lax.scan(halve, ends, None, length=halvings)
        return jnp.where(right(ends[1]), farthest, (low + high) / 2)

    distance = jnp.min(jax.lax.map(along, steps))
    return jnp.where(predict(x) == label, distance, 0.0)
