"""How many of the last queries are unlike any record: whitened distances, with the sensor's noise as their floor."""

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import at_least, fail, positive
from leakjax.monitor.monitor import Monitor, running_count

_RANK = 64


def off_distribution(
    points: np.ndarray, *, noise: float, quantile: float = 0.99, window: int = 64, rank: int = _RANK
) -> Monitor:
    """How many of about the last `window` queries lie outside the records' distribution.

    A query is outside where its Mahalanobis distance is above that of a share `quantile` of records. The variance in
    no direction is taken to be less than that of the noise with which records are measured: a pixel that is always
    black would otherwise put every query that is not a training record outside.

    Args:
      points: [points, ...], benign records; every second one fits the distribution, the others say what is outside.
      noise: standard deviation of the sensor's noise, in the units of the records.
      quantile: share of records that are inside.
      window: over how many queries is counted, exponentially weighted.
      rank: directions of largest variance that are told apart; all others count as one.

    Returns:
      The monitor; scores are at most `window`.

    Raises:
      UsageError: fewer than 4 points, no noise, a quantile outside (0, 1).
    """
    x = np.asarray(points, np.float64).reshape(len(points), -1)
    at_least("points", len(x), 4)
    positive("noise", noise)
    at_least("window", window, 1)
    at_least("rank", rank, 1)
    if not 0 < quantile < 1:
        raise fail("quantile", quantile, "must be above 0 and below 1")
    mean = x[::2].mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(x[::2], rowvar=False, ddof=0).reshape(x.shape[1], -1))
    kept = slice(max(len(variance) - rank, 0), None)
    dropped = variance[: kept.start]
    floor = max(noise**2, float(dropped.mean()) if len(dropped) else 0.0)
    # Along an axis: 1 / variance in place of the 1 / floor that all directions have.
    weight = 1 / np.maximum(variance[kept], noise**2) - 1 / floor
    centred = x[1::2] - mean
    distances = (centred**2).sum(axis=1) / floor + ((centred @ axes[:, kept]) ** 2) @ weight
    limit = float(np.quantile(distances, quantile))
    centre, directions, weights = (jnp.asarray(value, jnp.float32) for value in (mean, axes[:, kept], weight))

    def init() -> jax.Array:
        return jnp.zeros((), jnp.float32)

    def update(count: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        from_centre = x.astype(jnp.float32) - centre
        along = jnp.matmul(from_centre, directions, precision="highest")
        squared = jnp.sum(from_centre**2) / floor + jnp.sum(along**2 * weights)
        after = running_count(count, squared > limit, window)
        return after, after

    name = f"off_distribution(noise={noise:.4g}, quantile={quantile:g}, window={window}, rank={rank})"
    return Monitor(name, x.shape[1], init, update)
