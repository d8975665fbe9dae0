"""The entropy of queries, which the advice on model inversion names as the sign of an attack."""

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.monitor.monitor import Monitor, running_mean


def entropy(points: np.ndarray, *, bins: int = 16, window: int = 32) -> Monitor:
    """The mean entropy of about the last `window` queries: of the values that one query holds, in nats.

    Noise has many different values, a record few. The mean begins at that of benign records.

    Args:
      points: [points, ...], benign records, for the range of values and the mean.
      bins: of the histogram of a query's values, which counts those outside of the range at its ends.
      window: of the exponentially weighted mean.

    Returns:
      The monitor; scores are at most log(bins).

    Raises:
      UsageError: no range of values, fewer than 2 bins, a window below 1.

    Source: "The Hidden Privacy Cost of Explainability: Understanding Model Inversion via Local Explanations", under
    "Query Monitoring".
    """
    x = np.asarray(points, np.float32).reshape(len(points), -1)
    at_least("bins", bins, 2)
    at_least("window", window, 1)
    low, high = float(x.min()), float(x.max())
    if not high > low:
        raise fail("points", f"all values {low:g}", "must have values that differ")

    def of_query(x: jax.Array) -> jax.Array:
        place = jnp.floor((x - low) / (high - low) * bins).astype(jnp.int32).clip(0, bins - 1)
        share = jnp.zeros(bins, jnp.float32).at[place].add(1.0) / x.size
        return -jnp.sum(jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1.0)), 0.0))

    usual = float(jnp.mean(jax.lax.map(of_query, jnp.asarray(x))))

    def init() -> jax.Array:
        return jnp.full((), usual, jnp.float32)

    def update(mean: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        after = running_mean(mean, of_query(x.astype(jnp.float32)), window)
        return after, after

    return Monitor(f"entropy(bins={bins}, window={window})", x.shape[1], init, update)
