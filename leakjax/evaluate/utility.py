"""How much hardening changes an explanation: measures of one plain map beside its hardened self.

Every measure is a pure function of two finite maps of one shape and can be vmapped. A map that is zero
everywhere (for ranks: of one magnitude everywhere) has no direction, top or ranking: it agrees fully with
another such map, and not at all with any other.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp


def cosine_similarity(plain: jax.Array, hardened: jax.Array) -> jax.Array:
    """Cosine of the angle between the flattened maps.

    Args:
      plain: one attribution, any shape.
      hardened: the same after a defense.

    Returns:
      A scalar in [-1, 1]; 1 if both are zero, 0 if one is. Chance, of maps that have nothing to do with each other, is
      0 where values are as often below 0 as above.
    """
    one, other = _unit(plain), _unit(hardened)
    similarity = jnp.clip(jnp.vdot(one, other), -1, 1)
    return jnp.where(_empty(plain) & _empty(hardened), 1, similarity)


def relative_change(plain: jax.Array, hardened: jax.Array) -> jax.Array:
    """L2 norm of the change over the L2 norm of the plain map.

    Args:
      plain: one attribution, any shape.
      hardened: the same after a defense.

    Returns:
      A scalar of at least 0; 0 if both are zero, inf if only the plain one is. Chance, for maps of one length, is
      sqrt(2).
    """
    # Relative to the largest value, so that squares neither overflow nor vanish.
    scale = jnp.maximum(jnp.max(jnp.abs(plain)), jnp.max(jnp.abs(hardened)))
    scale = jnp.where(scale > 0, scale, 1)
    change = jnp.linalg.norm(jnp.ravel(hardened / scale - plain / scale))
    reference = jnp.linalg.norm(jnp.ravel(plain / scale))
    return jnp.where(change == 0, 0, change / reference)


def top_overlap(plain: jax.Array, hardened: jax.Array, *, share: float = 0.1) -> jax.Array:
    """The share of the plain map's features of largest magnitude that are among the hardened map's.

    Of equal magnitudes the first counts as larger. A zero is in no top, so that a map of few nonzero values
    has a short one.

    Args:
      plain: one attribution, any shape.
      hardened: the same after a defense.
      share: the part of all features that makes a top, in (0, 1], rounded to at least one feature; static.

    Returns:
      A scalar in [0, 1]; 1 if both are zero, 0 if one is. Chance is the share.
    """
    count = max(1, round(share * plain.size))
    one, other = _top(plain, count), _top(hardened, count)
    kept = jnp.sum(one & other) / jnp.maximum(jnp.sum(one), 1)
    return jnp.where(_empty(plain) & _empty(hardened), 1, kept)


def rank_correlation(plain: jax.Array, hardened: jax.Array) -> jax.Array:
    """Spearman's rank correlation of the magnitudes, ties at their mean rank.

    Args:
      plain: one attribution, any shape.
      hardened: the same after a defense.

    Returns:
      A scalar in [-1, 1]; 1 if both have constant magnitude, 0 if one has. Chance is 0.
    """
    one, other = _centred_ranks(plain), _centred_ranks(hardened)
    return cosine_similarity(one, other)


MEASURES: Mapping[str, Callable[[jax.Array, jax.Array], jax.Array]] = MappingProxyType(
    {
        "cosine_similarity": cosine_similarity,
        "relative_change": relative_change,
        "top_overlap": top_overlap,
        "rank_correlation": rank_correlation,
    }
)


def explanation_change(plain: jax.Array, hardened: jax.Array) -> dict[str, jax.Array]:
    """All measures of one pair of maps, by name."""
    return {name: measure(plain, hardened) for name, measure in MEASURES.items()}


def _empty(x: jax.Array) -> jax.Array:
    return jnp.max(jnp.abs(x)) == 0


def _unit(x: jax.Array) -> jax.Array:
    """The flattened map at length 1, or zero; scaled twice, so that squares neither overflow nor vanish."""
    flat = jnp.ravel(x)
    largest = jnp.max(jnp.abs(flat))
    flat = flat / jnp.where(largest > 0, largest, 1)
    return flat / jnp.maximum(jnp.linalg.norm(flat), 1)


def _top(x: jax.Array, count: int) -> jax.Array:
    magnitudes = jnp.abs(jnp.ravel(x))
    # Of equal values top_k takes the first.
    _, largest = jax.lax.top_k(magnitudes, count)
    return jnp.zeros(x.size, bool).at[largest].set(True) & (magnitudes > 0)


def _centred_ranks(x: jax.Array) -> jax.Array:
    """Ranks of the magnitudes less their mean: half of how many are smaller less how many are larger."""
    magnitudes = jnp.abs(jnp.ravel(x))
    ordered = jnp.sort(magnitudes)
    smaller = jnp.searchsorted(ordered, magnitudes, side="left")
    larger = x.size - jnp.searchsorted(ordered, magnitudes, side="right")
    return (smaller - larger) / 2
