"""Explanations by public prototypes: no private record leaves, and one of two ways has an epsilon."""

import jax
import numpy as np

from leakjax._validate import fail, positive
from leakjax.influence.exact import top_k
from leakjax.records.part import Explanation, gumbel


def nearest(x: np.ndarray, prototypes: np.ndarray, chunk: int = 512) -> np.ndarray:
    """The index [points] of the prototype nearest to each point, in Euclidean distance."""
    half = 0.5 * (prototypes**2).sum(axis=1)
    parts = [
        (x[low : low + chunk] @ prototypes.T - half).argmax(axis=1) for low in range(0, max(len(x), 1), chunk)
    ]
    return np.concatenate(parts).astype(int)


def substitute(explanation: Explanation, records: np.ndarray, prototypes: np.ndarray) -> Explanation:
    """Replaces each released record by the public prototype nearest to it.

    Args:
      explanation: Of private records.
      records: [records, features].
      prototypes: [prototypes, features], public.

    Returns:
      The same values beside indices of prototypes. The choice still depends on private records and carries
      no epsilon.
    """
    stand_in = np.append(nearest(records, prototypes), -1)
    return Explanation(stand_in[explanation.records], explanation.values)


def private_prototypes(
    x: np.ndarray,
    prototypes: np.ndarray,
    records: np.ndarray,
    *,
    k: int,
    epsilon: float,
    key: jax.Array,
    bandwidth: float = 1.0,
) -> np.ndarray:
    """The k public prototypes that stand for most of the private records near each query, selected privately.

    The score of a prototype is the sum, over the private records nearest to it, of a weight in [0, 1] that
    falls with the record's distance to the query. Adding or removing a record changes one score by at most 1.

    Args:
      x: [queries, features].
      prototypes: [prototypes, features], public.
      records: [records, features], private.
      k: How many prototypes a query receives.
      epsilon: Of one query; it adds up over queries.
      key: Of the service; folded with each query's content.
      bandwidth: The distance, per square root of a feature, at which a record's weight is exp(-1/2).

    Returns:
      int [queries, k], without order of preference beyond the noise.

    Raises:
      UsageError: k larger than the number of prototypes, an epsilon or bandwidth not above 0.

    Formal guarantee: each answer is epsilon-differentially private for adding or removing one record. It is k
    picks of
        the exponential mechanism without replacement at epsilon / k each, all at once by Gumbel noise of
        scale 2 k / epsilon. The prototypes must be public; the model's prediction is not covered.
    """
    positive("epsilon", epsilon)
    positive("bandwidth", bandwidth)
    if not 1 <= k <= len(prototypes):
        raise fail("k", k, f"must be between 1 and {len(prototypes)}, the number of prototypes")
    owner = nearest(records, prototypes)
    width = 2 * bandwidth**2 * records.shape[1]
    score = np.zeros((len(x), len(prototypes)))
    for row, query in enumerate(x):
        weight = np.exp(-((records - query) ** 2).sum(axis=1) / width)
        score[row] = np.bincount(owner, weights=weight, minlength=len(prototypes))
    return top_k(score + 2 * k / epsilon * gumbel(key, x, len(prototypes)), k)
