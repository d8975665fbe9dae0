"""Which points each model is trained on."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from leakjax import _validate


def membership(key: jax.Array, model_ids: ArrayLike, points: int) -> jax.Array:
    """Draws the members of each model: a fair coin for every model and point, all independent.

    A model's row depends on `key` and its own id alone, so model 17 has the same members whether it is drawn
    alone, among 64 or among 4,096. Coins rather than exact halves: where every point has the same number of
    member models, counting the others reveals the target's.

    Args:
        key: a typed key, used for memberships only.
        model_ids: int [models], ids >= 0.
        points: how many points there are.

    Returns:
        bool [models, points], True where the point is a member of the model.

    Raises:
        UsageError: `points` below 1, or ids that are not integers >= 0.
    """
    _validate.at_least("points", points, 1)
    if _validate.is_concrete(model_ids):
        ids = np.asarray(model_ids)
        if ids.dtype.kind not in "iu" or np.any(ids < 0):
            raise _validate.fail("model_ids", model_ids, "must be integers of at least 0")
    return _draw(key, jnp.asarray(model_ids, jnp.uint32), points)


@functools.partial(jax.jit, static_argnames="points")
def _draw(key: jax.Array, model_ids: jax.Array, points: int) -> jax.Array:
    def row(model_id: jax.Array) -> jax.Array:
        octets = jax.random.bits(jax.random.fold_in(key, model_id), (-(-points // 8),), jnp.uint8)
        return jnp.unpackbits(octets, count=points).astype(bool)  # eight coins of each octet

    return jax.vmap(row)(model_ids)
