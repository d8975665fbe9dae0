"""Which points each model is trained on.

Each design draws a model's row from a key and the model's own id alone, so that model 17 has the same members
whether it is drawn alone, among 64 or among 4,096. An audit needs `membership`, the fair coins: where every point has
the same number of member models, as in the other designs, counting the others reveals the target's.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from leakjax import _validate


def membership(key: jax.Array, model_ids: ArrayLike, points: int) -> jax.Array:
    """Draws the members of each model: a fair coin for every model and point, all independent.

    Args:
      key: a typed key, used for memberships only.
      model_ids: int [models], ids >= 0.
      points: how many points there are.

    Returns:
      bool [models, points], True where the point is a member of the model.

    Raises:
      UsageError: `points` below 1, or ids that are not integers >= 0.
    """
    return _draw(key, _checked(model_ids, points), points)


def out_of_fold(key: jax.Array, model_ids: ArrayLike, points: int, *, folds: int = 5) -> jax.Array:
    """Each model is trained on all points but those of one fold.

    Models 0 to folds - 1 leave out the folds of one random partition, the next `folds` models those of the
    next, and so on.

    Args:
      key: as in `membership`.
      model_ids: likewise.
      points: likewise.
      folds: of a partition, which differ by one point at most.

    Returns:
      bool [models, points].

    Raises:
      UsageError: as `membership`, or folds that are not from 2 to the number of points.
    """
    _check_parts("folds", folds, points)
    ids = _checked(model_ids, points)
    return _part(key, ids // folds, points, folds) != (ids % folds)[:, None]


def disjoint(key: jax.Array, model_ids: ArrayLike, points: int, *, teachers: int = 8) -> jax.Array:
    """The models share out the points: each point has exactly one model of every `teachers` consecutive ones.

    Args:
      key: as in `membership`.
      model_ids: likewise.
      points: likewise.
      teachers: models that share out one random partition (PATE, Papernot et al. 2017).

    Returns:
      bool [models, points].

    Raises:
      UsageError: as `membership`, or teachers that are not from 2 to the number of points.
    """
    _check_parts("teachers", teachers, points)
    ids = _checked(model_ids, points)
    return _part(key, ids // teachers, points, teachers) == (ids % teachers)[:, None]


def leave_one_out(
    key: jax.Array, model_ids: ArrayLike, points: int, *, left_out: Sequence[int] = (0,)
) -> jax.Array:
    """Model 0 is trained on all points, the next ones each on all but one named point; then from the start.

    Args:
      key: not used: nothing is drawn.
      model_ids: as in `membership`.
      points: likewise.
      left_out: rows of the points that are left out in turn.

    Returns:
      bool [models, points].

    Raises:
      UsageError: as `membership`; no point, one named twice, or one that does not exist.
    """
    del key
    rows = np.asarray(left_out, np.int64).reshape(-1)
    if not len(rows) or len(set(rows.tolist())) < len(rows) or rows.min() < 0 or rows.max() >= points:
        raise _validate.fail(
            "left_out", left_out, f"must name different points, from 0 to {points - 1}, at least one"
        )
    ids = _checked(model_ids, points)
    missing = jnp.asarray(np.concatenate([[-1], rows]))[ids % (len(rows) + 1)]
    return jnp.arange(points)[None] != missing[:, None]


DESIGNS: Mapping[str, Callable[..., jax.Array]] = {
    "bernoulli": membership,
    "out_of_fold": out_of_fold,
    "disjoint": disjoint,
    "leave_one_out": leave_one_out,
}


def _checked(model_ids: ArrayLike, points: int) -> jax.Array:
    _validate.at_least("points", points, 1)
    if _validate.is_concrete(model_ids):
        ids = np.asarray(model_ids)
        if ids.dtype.kind not in "iu" or np.any(ids < 0):
            raise _validate.fail("model_ids", model_ids, "must be integers of at least 0")
    return jnp.asarray(model_ids, jnp.uint32)


def _check_parts(name: str, parts: Any, points: int) -> None:
    if not 2 <= parts <= points:
        raise _validate.fail(name, parts, f"must be from 2 to the number of points, {points}")


@functools.partial(jax.jit, static_argnames="points")
def _draw(key: jax.Array, model_ids: jax.Array, points: int) -> jax.Array:
    def row(model_id: jax.Array) -> jax.Array:
        octets = jax.random.bits(jax.random.fold_in(key, model_id), (-(-points // 8),), jnp.uint8)
        return jnp.unpackbits(octets, count=points).astype(bool)  # eight coins of each octet

    return jax.vmap(row)(model_ids)


@functools.partial(jax.jit, static_argnames=("points", "parts"))
def _part(key: jax.Array, partitions: jax.Array, points: int, parts: int) -> jax.Array:
    """The part of each point in each random partition, uint32 [models, points]."""

    def row(partition: jax.Array) -> jax.Array:
        order = jax.random.permutation(jax.random.fold_in(key, partition), points)
        return (order % parts).astype(jnp.uint32)

    return jax.vmap(row)(partitions)
