"""What may stand in the place of a background's rows, so that explanations are not a mean over records.

An explanation over a background is the mean of its explanations over each row alone, and so names the rows to whoever
has candidates for them. Each function here makes rows that are nobody's.
"""

from collections.abc import Callable

import numpy as np

from leakjax._validate import fail
from leakjax.defend.mechanisms import checked_delta, checked_epsilon

STEPS = 3  # of k-means


def mean_row(rows: np.ndarray) -> np.ndarray:
    """The mean of rows [rows, ...], as one row [1, ...]."""
    return np.mean(rows, axis=0, keepdims=True, dtype=np.float64).astype(rows.dtype)


def shuffled(rows: np.ndarray, *, seed: int) -> np.ndarray:
    """Synthetic rows: every feature keeps its values, but each row takes them from other rows, feature by feature.

    Args:
      rows: [rows, ...].
      seed: of the order of each feature's values.

    Returns:
      As many rows. A value that a single record has is still shown, and what features say together is lost.
    """
    flat = np.reshape(rows, (len(rows), -1))
    return np.random.default_rng(seed).permuted(flat, axis=0).reshape(np.shape(rows))


def centres(rows: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Centres of k-means, each as often as it has rows, so that their mean is that of the rows.

    Args:
      rows: [rows, ...].
      count: of centres, at most as many as there are rows.
      seed: of the rows that the centres begin at.

    Returns:
      [rows, ...], at most `count` different ones. A centre of one row is that row.

    Raises:
      UsageError: a count out of range.
    """
    _check(rows, count)
    flat = np.reshape(rows, (len(rows), -1)).astype(np.float64)
    start = flat[np.random.default_rng(seed).choice(len(flat), count, replace=False)]
    found = _moved(flat, start, lambda sums: sums)
    return found[_nearest(flat, found)].reshape(np.shape(rows)).astype(rows.dtype)


def private_centres(
    rows: np.ndarray,
    count: int,
    *,
    epsilon: float,
    delta: float,
    low: np.ndarray,
    high: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Centres of k-means under differential privacy of the rows.

    Formal guarantee, for one row more or less and the ideal mechanism: (epsilon, delta). Each of `STEPS` steps
    releases, for every centre, the noisy sum and number of its rows; a row within the bounds has norm sqrt(2) in them,
    and sigma is the least of the analytic Gaussian mechanism (Balle & Wang, arXiv 1805.06530), as dp-accounting
    computes it, for all steps together. Noise in float64 is not sampled exactly.

    Args:
      rows: [rows, ...]; values beyond the bounds are clipped.
      count: of centres; with few rows to a centre, noise is all that is left.
      epsilon: above 0.
      delta: in (0, 1).
      low: least value of each feature [...], known without the rows.
      high: largest value of each, likewise.
      seed: of the noise and of where the centres begin; whoever knows it undoes the noise.

    Returns:
      The centres, [count, ...], within the bounds.

    Raises:
      UsageError: an epsilon, a delta or a count out of range.

    Source: Blum et al. 2005, "Practical Privacy: The SuLQ Framework", section 4 (k-means), with Gaussian noise.
    """
    import dp_accounting  # here, for it takes as long as jax

    _check(rows, count)
    sensitivity = np.sqrt(2 * STEPS)
    sigma = sensitivity * dp_accounting.get_sigma_gaussian(checked_epsilon(epsilon), checked_delta(delta))
    generator = np.random.default_rng(seed)
    shape = np.shape(rows)[1:]
    low, high = (np.broadcast_to(np.asarray(bound, np.float64), shape).reshape(-1) for bound in (low, high))
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-30) * np.sqrt(low.size)
    # Every row is now in a ball of radius 1.
    flat = (np.clip(np.reshape(rows, (len(rows), -1)), low, high) - middle) / half
    start = generator.uniform(-1, 1, (count, low.size)) / np.sqrt(low.size)
    found = _moved(flat, start, lambda sums: sums + sigma * generator.standard_normal(sums.shape))
    return np.clip(middle + half * found, low, high).reshape(count, *shape).astype(rows.dtype)


def _moved(flat: np.ndarray, found: np.ndarray, shown: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Centres [count, features] after some steps that see no more of the rows than `shown` of sums and numbers."""
    for _ in range(STEPS):
        own = np.eye(len(found))[_nearest(flat, found)]
        sums = shown(own.T @ np.concatenate([flat, np.ones((len(flat), 1))], axis=1))
        few = sums[:, -1:] < 1
        found = np.where(few, found, sums[:, :-1] / np.maximum(sums[:, -1:], 1))
    return found


def _nearest(flat: np.ndarray, found: np.ndarray) -> np.ndarray:
    return ((flat[:, None] - found[None]) ** 2).sum(axis=2).argmin(axis=1)


def _check(rows: np.ndarray, count: int) -> None:
    if not 1 <= count <= len(rows):
        raise fail("count", count, f"must be 1 to {len(rows)}, the number of rows")
