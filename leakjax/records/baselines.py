"""Reconstruction without adaptation: static batches of queries and how many distinct records they reveal."""

import jax
import numpy as np

from leakjax._validate import one_of
from leakjax.records.oracle import RecordOracle

DISTRIBUTIONS = ("uniform", "marginal", "true")


def draw_queries(
    distribution: str, population: np.ndarray, count: int, *, key: jax.Array, blocks: np.ndarray | None = None
) -> np.ndarray:
    """Queries of an attacker who knows the range, the marginals or the distribution of the features.

    Args:
      distribution: "uniform" (each feature within its range, of two-valued features one of the two),
        "marginal" (each block of features from another point) or "true" (whole points).
      population: [points, features], points of the task that were not trained on.
      count: How many queries.
      key: For the draw.
      blocks: int [features], which features are drawn together under "marginal" (the indicators of one
        category); None draws each alone.

    Returns:
      [count, features].

    Source: Shokri, Strobel and Zick, section 5.3.1.
    """
    one_of("distribution", distribution, DISTRIBUTIONS)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    population = np.asarray(population, np.float64)
    points, features = population.shape
    if distribution == "true":
        return population[rng.choice(points, count, replace=count > points)]
    if distribution == "marginal":
        blocks = np.arange(features) if blocks is None else blocks
        source = rng.integers(points, size=(count, int(blocks.max()) + 1))
        return population[source[:, blocks], np.arange(features)]
    low, high = population.min(axis=0), population.max(axis=0)
    two_valued = ((population == low) | (population == high)).all(axis=0)
    fraction = rng.random((count, features))
    return low + (high - low) * np.where(two_valued, fraction < 0.5, fraction)


def static_batches(
    oracle: RecordOracle,
    population: np.ndarray,
    count: int,
    *,
    key: jax.Array,
    blocks: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The records that an oracle shows to a batch of queries of each distribution: int [count, k] by name.

    Args:
      oracle: Answers queries with records.
      population: See draw_queries.
      count: Queries of each batch.
      key: For the draws.
      blocks: See draw_queries.
    """
    return {
        name: oracle.ask(
            draw_queries(name, population, count, key=jax.random.fold_in(key, number), blocks=blocks)
        ).records
        for number, name in enumerate(DISTRIBUTIONS)
    }


def distinct_revealed(records: np.ndarray) -> np.ndarray:
    """How many distinct records [queries] the first 1, 2, ... of the answers [queries, k] revealed."""
    queries, k = records.shape
    handles, first = np.unique(records.ravel(), return_index=True)
    arrivals = np.bincount(first[handles >= 0] // k, minlength=queries)
    return arrivals.cumsum()
