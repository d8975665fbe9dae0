"""Means of explanations by models that were trained on disjoint parts of the data: central differential privacy."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain
from leakjax.defend.mechanisms import gaussian_mechanism
from leakjax.defend.sensitivity import sensitivity

# How many teachers one changed record can change.
RELATIONS = {
    "add or remove": 1,
    "replace in its slot": 1,
    "replace under hash assignment": 2,
}


class Claim(NamedTuple):
    """What an aggregate guarantees, and under which relation of data sets.

    Attributes:
      epsilon: of one release.
      delta: of one release.
      sensitivity: L2, of the mean.
      relation: which two data sets are neighbours.
    """

    epsilon: float
    delta: float
    sensitivity: float
    relation: str

    def __str__(self) -> str:
        return (
            f"({self.epsilon:g}, {self.delta:g})-differential privacy of the training data, for one explanation, "
            f"where a record is changed by: {self.relation}; the explained class is fixed by the query; predictions "
            "are not covered"
        )


def aggregate_sensitivity(
    defense: Defense, shape: tuple[int, ...], *, teachers: int, relation: str, norm: float = 2
) -> float:
    """How far one record can move the mean of hardened maps.

    Args:
      defense: what each map passes through first; no noise.
      shape: of one attribution.
      teachers: K models on disjoint parts of the data; 1 for many explanations of *one* model, whose mean one record
        moves by the full diameter.
      relation: in `RELATIONS`.
      norm: 1, 2 or inf.

    Returns:
      The diameter of the maps over K, twice that where a record can move between two teachers; never more than the
      diameter.

    Raises:
      UsageError: fewer than one teacher, another relation.
    """
    _validate.at_least("teachers", teachers, 1)
    _validate.one_of("relation", relation, RELATIONS)
    whole = float(sensitivity(defense, shape, norm=norm).value)
    return whole * min(1.0, RELATIONS[relation] / teachers)


def aggregate(
    maps: jax.Array,
    defense: Defense,
    *,
    epsilon: float,
    delta: float,
    relation: str,
    key: jax.Array,
    x: jax.Array | None = None,
) -> tuple[jax.Array, Claim]:
    """The mean of disjoint teachers' hardened maps with Gaussian noise calibrated to what one record can move.

    Args:
      maps: [teachers, ...], of one query and one class that the query alone decides.
      defense: what each map passes through first: it must bound them, and draw no noise.
      epsilon: above 0.
      delta: in (0, 1).
      relation: in `RELATIONS`.
      key: of this query.
      x: the query, where the defense needs it.

    Returns:
      The noisy mean, and the claim that it comes with.

    Raises:
      UsageError: an unbounded set, or numbers out of range.
    """
    shape = maps.shape[1:]
    moved = aggregate_sensitivity(defense, shape, teachers=len(maps), relation=relation)
    if not moved < math.inf:
        rule = "what is averaged is unbounded: put clip_norm(1.0) into the defense"
        raise _validate.fail("defense", defense.name, rule)
    if defense.noise is not None:
        raise _validate.fail("defense", defense.name, "draws noise before the mean, which adds its own")
    anything = Domain(shape)
    noise = gaussian_mechanism(epsilon, delta).noise
    assert noise is not None
    # Its scale is in proportion to the diameter of what enters: of a ball, here, of the diameter that one record moves.
    scale = float(noise.scale(Domain((2,), l2=moved / 2)))
    hardened = jax.vmap(lambda one: defense.apply(one, anything, key=key, x=x))(maps)
    drawn = jax.random.normal(jax.random.fold_in(key, 1), hardened.shape[1:])
    return jnp.mean(hardened, axis=0) + scale * drawn, Claim(epsilon, delta, moved, relation)
