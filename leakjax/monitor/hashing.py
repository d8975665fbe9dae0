"""Coarse hashing, as Blacklight does it: queries that share most hashes of their quantised windows."""

from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.monitor.monitor import Monitor, running_count

HASHES = 64  # of a fingerprint


class Fingerprints(NamedTuple):
    """The last fingerprints, uint32 [capacity, HASHES] (0: nothing), how many there were, and the count of matches."""

    held: jax.Array
    asked: jax.Array
    matches: jax.Array


def coarse_hashing(
    features: int,
    *,
    low: float,
    high: float,
    levels: int = 10,
    length: int | None = None,
    capacity: int = 64,
    share: float = 0.5,
    window: int = 64,
    salt: int = 0,
) -> Monitor:
    """How many of about the last `window` queries share more than half of their hashes with one before them.

    A query is quantised coarsely, every run of `length` neighbouring values is hashed with a secret salt, and a
    fingerprint keeps some hashes. Blacklight keeps the 50 largest; here the largest of each of 64 classes of runs is
    kept, run i in class i modulo 64, so that two fingerprints are compared place by place, which estimates the same
    share in few steps. What Blacklight would also match and this does not is a query whose values were all shifted.

    Args:
      features: of a query.
      low: least value of a feature.
      high: largest value of a feature.
      levels: of quantisation; Blacklight's step is 50 of 255.
      length: values of a run; a fortieth of the features, from 2 to Blacklight's 20, if None.
      capacity: fingerprints held.
      share: of its hashes that a query must share with one fingerprint to match.
      window: over how many queries matches are counted, exponentially weighted.
      salt: the secret; who knows it can make queries whose hashes differ.

    Returns:
      The monitor; scores are at most `window`. A query that is sent again matches too.

    Raises:
      UsageError: a range without extent, a number below what is needed.

    Source: Li, Shan, Wenger, Zhang, Zheng and Zhao, "Blacklight: Scalable Defense for Neural Networks against
    Query-Based Black-Box Attacks" (USENIX Security 2022), section 4; Li, Owen and Zhang, "One permutation hashing"
    (NeurIPS 2012), for the classes.
    """
    if not high > low:
        raise fail("high", high, f"must be above low={low!r}")
    length = min(max(features // 40, 2), 20, features) if length is None else length
    for name, value in (("levels", levels), ("length", length), ("capacity", capacity), ("window", window)):
        at_least(name, value, 1)
    if length > features:
        raise fail("length", length, f"must be at most the {features} features")
    generator = np.random.Generator(np.random.PCG64(salt))
    odd = jnp.asarray(generator.integers(0, 2**31, size=length, dtype=np.uint32) * 2 + 1)
    start = np.uint32(generator.integers(0, 2**32, dtype=np.uint32))

    def fingerprint(x: jax.Array) -> jax.Array:
        coarse = jnp.floor((x - low) / (high - low) * levels).astype(jnp.int32).astype(jnp.uint32)
        runs = jax.lax.conv(coarse[None, None], odd[None, None], (1,), "VALID")[0, 0]
        hashed = jnp.pad(_mixed(start + runs) | 1, (0, -len(runs) % HASHES))
        return jnp.max(hashed.reshape(-1, HASHES), axis=0)

    def init() -> Fingerprints:
        held = jnp.zeros((capacity, HASHES), jnp.uint32)
        return Fingerprints(held, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32))

    def update(state: Fingerprints, x: jax.Array) -> tuple[Fingerprints, jax.Array]:
        own = fingerprint(x.astype(jnp.float32))
        known = (own > 0).astype(jnp.float32)
        same = (state.held == own[None, :]).astype(jnp.float32) @ known
        matched = jnp.max(same) > share * jnp.sum(known)
        matches = running_count(state.matches, matched, window)
        held = state.held.at[state.asked % capacity].set(own)
        return Fingerprints(held, state.asked + 1, matches), matches

    name = f"coarse_hashing(levels={levels}, length={length}, capacity={capacity}, share={share:g}, window={window})"
    return Monitor(name, features, init, update)


def _mixed(hashed: jax.Array) -> jax.Array:
    """Spreads every bit over all others: the finaliser of MurmurHash3 (public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashed = (hashed ^ (hashed >> shift)) * jnp.uint32(factor)
    return hashed ^ (hashed >> 16)
