"""Calibrated noise without floating-point leaks: on an integer grid, from random bits of the operating system.

A clipped attribution is cut towards 0 onto multiples of a grid, which stays in any set that holds 0, and its norms are
checked in integers. The noise is continuous noise rounded to the grid: since the attribution is a multiple already,
that is the rounding of attribution plus noise, a post-processing of the mechanism of real numbers, whose guarantee
holds as it is. What is added to delta is how far the table of probabilities is from the true ones.
"""

import functools
import math
import os
from collections.abc import Callable
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from leakjax import _validate
from leakjax.defend.defense import Defense, stages
from leakjax.defend.domain import Domain
from leakjax.defend.mechanisms import check_precision

# Multiples of the grid in one standard deviation or scale of the noise.
STEPS = 1024
# Total variation of one value's noise from the rounded ideal one. The thresholds P(magnitude > m) add up to the mean
# magnitude, below `STEPS`; float64 gives each to 4 parts in 2^52, and 64 bits cut off 2^-64 of each of some 50,000.
VARIATION = 2.0**-39


def release(
    defense: Defense,
    attribution: jax.Array,
    *,
    x: jax.Array | None = None,
    bits: Callable[[int], bytes] = os.urandom,
) -> jax.Array:
    """Applies a defense with exact noise, on the host.

    Args:
      defense: deterministic stages that bound what enters, one gaussian_mechanism, laplace_mechanism, gaussian_noise or
        laplace_noise, then deterministic stages.
      attribution: one attribution.
      x: the query, for the stages that need it.
      bits: bits(n) -> n random bytes, independent and uniform.

    Returns:
      What may be shown.

    Raises:
      UsageError: another kind of randomness, none, a set that is unbounded or leaves out 0, or an attribution of less
        than float32.
    """
    check_precision(defense, attribution)
    domain, key = Domain(attribution.shape), jax.random.key(0)  # no stage below draws from it
    noise, noisy = None, False
    for stage in stages(defense):
        if stage.noise is None:
            attribution = stage.apply(attribution, domain, key=key, x=x)
        elif noisy or stage.noise.kind not in _TAILS:
            rule = 'sampler="exact" takes one stage of Gaussian or Laplace noise and no other randomness'
            raise _validate.fail("defense", defense.name, rule)
        else:
            noise, noisy = stage.noise, True
            scale = float(noise.scale(domain))
            values = np.asarray(attribution, np.float64)
            released = on_grid(values, domain, scale / STEPS) + integer_noise(values.shape, noise.kind, bits)
            attribution = jnp.asarray(released * (scale / STEPS), "float32")
        domain = stage.domain(domain)
    if not noisy:
        raise _validate.fail("defense", defense.name, "draws no noise, so there is nothing to sample exactly")
    return attribution


def on_grid(values: np.ndarray, domain: Domain, step: float) -> np.ndarray:
    """Multiples of a step next to the values, towards 0, in the set; checked in integers.

    Args:
      values: float64, of which rounding may have moved some out of the set.
      domain: the set, which must hold 0.
      step: above 0.

    Returns:
      int64, of the shape of the values.

    Raises:
      UsageError: the set is unbounded or does not hold 0, or the step is 0.
    """
    if not (step > 0 and math.isfinite(step)):
        raise _validate.fail("scale", step * STEPS, "must be finite and above 0: bound what enters the noise")
    if not domain.low <= 0 <= domain.high:
        raise _validate.fail("low", domain.low, "an interval without 0 has no exact sampler: put 0 into it")
    grid = Fraction(step)
    low, high, l1, l2 = (
        None if math.isinf(bound) else Fraction(float(bound)) / grid
        for bound in (domain.low, domain.high, domain.l1, domain.l2)
    )
    values = np.clip(np.nan_to_num(values), float(domain.low), float(domain.high))
    share = 1.0
    while True:
        whole = np.trunc(values * share / step).astype(np.int64)
        entries = [int(entry) for entry in whole.ravel()]
        inside = (
            (low is None or min(entries, default=0) >= low)
            and (high is None or max(entries, default=0) <= high)
            and (l1 is None or sum(map(abs, entries)) <= l1)
            and (l2 is None or sum(entry * entry for entry in entries) <= l2 * l2)
            and sum(entry != 0 for entry in entries) <= domain.nonzeros
        )
        if inside:
            return whole
        share *= 1 - 1e-7
        if share < 0.99:
            raise _validate.fail("attribution", "?", "is far outside the set that its defense claims")


def integer_noise(shape: tuple[int, ...], kind: str, bits: Callable[[int], bytes] = os.urandom) -> np.ndarray:
    """Rounded noise, in units of the grid.

    Args:
      shape: of the array.
      kind: "gaussian" of standard deviation `STEPS`, or "laplace" of that scale.
      bits: bits(n) -> n random bytes.

    Returns:
      int64.
    """
    size = math.prod(shape)
    draw = np.frombuffer(bits(8 * size), np.uint64)
    # A magnitude is the number of thresholds that a draw is below: P(magnitude > m), in 64 bits, falls with m.
    rising = _thresholds(kind)[::-1]
    magnitude = len(rising) - np.searchsorted(rising, draw, side="right")
    sign = 1 - 2 * (np.frombuffer(bits(size), np.uint8) & 1).astype(np.int64)
    return (sign * magnitude).reshape(shape)


def added_delta(size: int, epsilon: float) -> float:
    """What sampling by a table adds to the delta of a claim, for one release.

    Args:
      size: values of one attribution.
      epsilon: of the claim.

    Returns:
      (1 + e^epsilon) times the total variation of the whole array.
    """
    return (1 + math.exp(epsilon)) * size * VARIATION


_TAILS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gaussian": lambda z: special.erfc(z / math.sqrt(2)),
    "laplace": lambda z: np.exp(-z),
}


@functools.cache
def _thresholds(kind: str) -> np.ndarray:
    """P(magnitude > m) of rounded noise for m = 0, 1, ..., as 64-bit integers, until it is less than one."""
    tail = _TAILS[kind]((np.arange(50 * STEPS) + 0.5) / STEPS)
    whole = np.array([int(share * 2.0**64) for share in tail], object)
    return np.array([w for w in whole if w > 0], np.uint64)
