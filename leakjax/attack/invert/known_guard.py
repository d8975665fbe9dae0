"""What an attacker on a background makes of a guard that it knows, so that no guard is credited with its ignorance."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.defend import Defense, apply, chain
from leakjax.defend.defense import stages

# Stages after which every map has a unit of its own.
_UNITS = ("normalize", "clip_norm")


class Known(NamedTuple):
    """What may be expected of a guard.

    Attributes:
      terms: [candidates, queries, numbers], explanations over each candidate as far as the guard is linear.
      released: what a mean of them [queries x numbers] looks like when it was shown; None: as it is.
      sparse: whether values are left out, as zeros.
      units: whether each map is shown in a unit of its own.
    """

    terms: np.ndarray
    released: Callable[[np.ndarray], np.ndarray] | None
    sparse: bool
    units: bool


def known_guard(defense: Defense | None, queries: np.ndarray, terms: np.ndarray, key: jax.Array) -> Known:
    """What a guard makes of means over candidates.

    Stages before one that sets a map's norm, and a guard that changes the shape of maps, are taken for linear and
    applied to each candidate's explanation; all else to means, to see what it leaves.

    Args:
      defense: the guard; None for none.
      queries: [queries, ...].
      terms: [candidates, queries, ...], the explanation of each query over each candidate alone.
      key: of noise.
    """
    if defense is None:
        return Known(_flat(terms), None, False, False)
    parts = stages(defense)
    at = next((place for place, part in enumerate(parts) if part.name.startswith(_UNITS)), None)
    mean = shown(defense, queries, terms.mean(axis=0), key)
    sparse = bool(np.mean(mean == 0) > np.mean(terms == 0) + 0.5)
    if mean.shape != terms.shape[1:]:
        return Known(_flat(_each(defense, queries, terms, key)), None, False, at is not None)
    if at:
        terms = _each(chain(*parts[:at]), queries, terms, key)
    rest = chain(*parts[at or 0 :])
    through = lambda flat: shown(rest, queries, flat.reshape(terms.shape[1:]), key).reshape(-1)
    return Known(_flat(terms), through, sparse, at is not None)


def shown(defense: Defense, queries: np.ndarray, maps: np.ndarray, key: jax.Array) -> np.ndarray:
    """What a defense leaves of the maps [queries, ...] of queries [queries, ...]."""
    keys = jax.random.split(key, len(maps))
    passed = jax.jit(jax.vmap(lambda one, x, key: apply(defense, one, key=key, x=x)))
    return np.asarray(passed(jnp.asarray(maps, jnp.float32), jnp.asarray(queries), keys))


def _each(defense: Defense, queries: np.ndarray, terms: np.ndarray, key: jax.Array) -> np.ndarray:
    """What a defense leaves of the maps [candidates, queries, ...] of queries."""
    count = len(terms)
    asked = np.broadcast_to(queries, (count, *queries.shape)).reshape(-1, *queries.shape[1:])
    found = shown(defense, asked, terms.reshape(-1, *terms.shape[2:]), key)
    return found.reshape(count, len(queries), *found.shape[1:])


def _flat(terms: np.ndarray) -> np.ndarray:
    return terms.reshape(*terms.shape[:2], -1)
