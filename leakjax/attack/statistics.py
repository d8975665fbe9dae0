"""What shadows say of a scalar signal at one point, for every model that is scored there.

Three things make the sums safe. A signal is first settled, blind to membership: a value that is not finite is
missing, the rest is centred at the median, divided by the spread over the models and cut at `FENCE` of it, so that one
broken model cannot move the others' scores and a signal of 1e18 is like any other. Models whose membership is not
known enter with the weight zero instead of being subtracted from a total, so that not even rounding depends on
it. And a variance is never below `FLOOR`, which float32 sums of settled values resolve.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax.attack.quartiles import quartiles

FENCE = 6.0
FLOOR = 1e-5
_NORMAL_QUARTILES = 1.349  # between the quartiles of a standard normal
# A spread below this share of the median is rounding.
_CONSTANT = 2e-6


class Settled(NamedTuple):
    """Scalar signals of all models at one point, in units of their spread there.

    Attributes:
      values: [models, signals], within `FENCE` of 0; 0 where missing and where the models agree.
      present: bool [models, signals], finite.
      centre: [signals].
      spread: [signals]; 0 where the models agree.
    """

    values: jax.Array
    present: jax.Array
    centre: jax.Array
    spread: jax.Array


class Statistics(NamedTuple):
    """Each [pairs, signals] in units of the spread, but for the last two, [signals]; see `Settled`.

    `answer` is what the scored model says; where that is missing, halfway between the means. In- and out-models are
    those of known membership.
    """

    answer: Any
    mean_in: Any
    mean_out: Any
    variance_in: Any
    variance_out: Any
    count_in: Any
    count_out: Any
    centre: Any
    spread: Any


def settle(signals: jax.Array) -> Settled:
    """Centres, scales and cuts the signals of one point, blind to membership.

    Args:
      signals: [models, signals], of any magnitude; NaN and infinities are missing.

    Returns:
      `Settled`.
    """
    present = jnp.isfinite(signals)
    largest = jnp.max(jnp.where(present, jnp.abs(signals), 0.0), axis=0, keepdims=True)
    unit = jnp.where(largest > 0, largest, 1.0)
    scaled = jnp.where(present, signals / unit, jnp.nan)
    low, centre, high = quartiles(scaled)[:, None]
    spread = (high - low) / _NORMAL_QUARTILES
    # Three quarters of the models may agree where a signal is discrete.
    typical = jnp.nanmean(jnp.abs(scaled - centre), axis=0, keepdims=True)
    rounding = _CONSTANT * jnp.abs(centre)
    spread = jnp.where(spread > rounding, spread, typical)
    varies = spread > rounding
    values = jnp.clip((scaled - centre) / jnp.where(varies, spread, 1.0), -FENCE, FENCE)
    values = jnp.where(present & varies, values, 0.0)
    centre = jnp.where(jnp.isfinite(centre), centre * unit, 0.0)
    return Settled(values, present, centre[0], jnp.where(varies, spread * unit, 0.0)[0])


def weights(membership: jax.Array, known: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Weights of in- and of out-models in the sums of each pair: each [pairs, models], 0 where not known."""
    inside = membership.astype(jnp.float32)
    seen = known.astype(jnp.float32)
    return seen * inside[None], seen * (1 - inside)[None]


def statistics(
    signals: jax.Array,
    membership: jax.Array,
    known: jax.Array,
    scored: jax.Array,
    of: jax.Array | None = None,
) -> Statistics:
    """Means, variances and counts of the in- and out-models of every pair at one point.

    Args:
      signals: [models, signals].
      membership: bool [models].
      known: bool [sets, models], whose membership may be used.
      scored: int [pairs].
      of: int [pairs], the set of each pair, see `roles.Pairs`; None where each pair has its own.

    Returns:
      `Statistics`.
    """
    values, present, centre, spread = settle(signals)

    def moments(weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        count = weight @ present.astype(values.dtype)
        least = jnp.maximum(count, 1.0)
        mean = weight @ values / least
        variance = jnp.maximum(weight @ values**2 / least - mean**2, FLOOR)
        return (mean, variance, count) if of is None else (mean[of], variance[of], count[of])

    of_in, of_out = weights(membership, known)
    mean_in, variance_in, count_in = moments(of_in)
    mean_out, variance_out, count_out = moments(of_out)
    answer = jnp.where(present[scored], values[scored], (mean_in + mean_out) / 2)
    return Statistics(
        answer, mean_in, mean_out, variance_in, variance_out, count_in, count_out, centre, spread
    )
