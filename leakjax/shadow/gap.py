"""Early stopping at a chosen generalisation gap: each model is kept as it was when its gap first reached it."""

from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from leakjax.models.model import Model, Variables

CHUNK = 256  # points that are looked at together


class Kept(NamedTuple):
    """A model as it was when it reached a gap.

    Attributes:
      variables: of that epoch; the newest as long as the gap is not reached.
      gap: of those variables, float32 [].
      epoch: number of epochs until then, int32 []; 0 as long as the gap is not reached.
    """

    variables: Variables
    gap: jax.Array
    epoch: jax.Array


def nothing_kept(variables: Variables) -> Kept:
    """What is kept before the first epoch."""
    return Kept(variables, jnp.float32(0), jnp.int32(0))


def generalisation_gap(
    model: Model, x: jax.Array, y: jax.Array, membership: jax.Array, variables: Variables
) -> jax.Array:
    """Accuracy on a model's own points less that on the others, in evaluation mode.

    Args:
      model: the network.
      x: features of the pool [points, ...].
      y: labels, int [points].
      membership: which points are the model's own, bool [points].
      variables: of the model.

    Returns:
      The gap, float32 []; not a number where either group has no points.
    """

    def hit(x_and_y: tuple[jax.Array, jax.Array]) -> jax.Array:
        return model.logits_fn(variables, x_and_y[0]).argmax(-1) == x_and_y[1]

    hits = jax.lax.map(hit, (x, y), batch_size=min(CHUNK, len(x)))
    own = (hits & membership).sum() / membership.sum()
    return own - (hits & ~membership).sum() / (~membership).sum()


def keep(kept: tuple[Kept, ...], gaps: tuple[float, ...], now: Kept) -> tuple[Kept, ...]:
    """Keeps the model of this epoch for every gap that it had not reached before.

    Args:
      kept: until the last epoch, one a gap.
      gaps: to reach.
      now: the model of this epoch, its gap and the number of epochs until now.

    Returns:
      What is kept after this epoch.
    """

    def update(old: Kept, gap: float) -> Kept:
        new = now._replace(epoch=jnp.where(now.gap >= gap, now.epoch, 0))
        return jax.tree.map(lambda a, b: jnp.where(old.epoch > 0, a, b), old, new)

    return tuple(update(old, gap) for old, gap in zip(kept, gaps, strict=True))


def all_reached(kept: tuple[Kept, ...]) -> Any:
    """Whether each model has reached every gap, bool [...]; never where there is none to reach."""
    reached = [part.epoch > 0 for part in kept]
    return jnp.all(jnp.stack(reached), 0) if reached else False
