"""Theorem 5.1: how many records Algorithm 1 reveals, beside the d that the theorem names."""

import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import numpy as np

from leakjax.influence import LeaveOneOut, Logistic, Service, serve
from leakjax.papers.theorem.family import Family, family_of
from leakjax.records.oracle import offer
from leakjax.records.part import RecordPart
from leakjax.records.subspace import reconstruct

Draw = Callable[[np.random.Generator, int, int], Family]  # of so many records and features
_INDEPENDENT = 1e-9


def at_random(rng: np.random.Generator, records: int, features: int) -> Family:
    """Weights and biases at random about the full model's."""
    w, ws = rng.normal(size=features), rng.normal(size=(records, features))
    return Family(w, 0.1, w + 0.3 * ws, 0.1 + 0.3 * rng.normal(size=records))


def without_bias(rng: np.random.Generator, records: int, features: int) -> Family:
    """All biases are the full model's; weights at random: every model agrees with the full one at 0."""
    family = at_random(rng, records, features)
    return family._replace(bs=np.full(records, family.b))


def in_a_plane(rng: np.random.Generator, records: int, features: int) -> Family:
    """Biases are the full model's, and changes of weights lie in a subspace of half the dimension."""
    family = without_bias(rng, records, features)
    half = rng.normal(size=(features // 2, features))
    return family._replace(ws=family.w + 0.3 * rng.normal(size=(records, features // 2)) @ half)


def few(rng: np.random.Generator, records: int, features: int) -> Family:
    """Two records fewer than features, so that their weights are independent together with the full model's."""
    return at_random(rng, features - 2, features)


def trained(rng: np.random.Generator, records: int, features: int) -> Family:
    """Trained: Gaussian points, labels by a noisy plane."""
    x = rng.normal(size=(records, features))
    y = (x[:, 0] + rng.normal(size=records) > 0).astype(float)
    y[:2] = 0, 1
    return family_of(serve(x, y, l2=1.0, tolerance=1e-12))


DRAWS: Mapping[str, Draw] = MappingProxyType(
    {
        "at random": at_random,
        "fewer records than features": few,
        "one bias for all": without_bias,
        "one bias, changes in a subspace": in_a_plane,
        "trained on Gaussian points": trained,
    }
)


def found(family: Family, *, key: jax.Array) -> int:
    """How many records Algorithm 1 reveals of a family, from predictions and explanations of one record alone.

    Args:
      family: of models.
      key: of the attack.
    """
    records, features = family.ws.shape
    theta = np.append(family.w, -family.b)
    without = np.concatenate([family.ws, -family.bs[:, None]], axis=1)
    nothing = np.zeros(records)
    model = Logistic(theta, np.zeros((records, features + 1)), nothing, 0.0, 0.0)
    service = Service(model, LeaveOneOut(without, nothing, nothing == 0), np.arange(records))
    oracle = offer(service, RecordPart(k=1), key=key, written=False)
    return len(reconstruct(oracle, key=key).found)


def d_wise(vectors: np.ndarray, beside: np.ndarray | None = None) -> int:
    """The largest d such that any d of the vectors are linearly independent, by trying them all.

    Args:
      vectors: [vectors, features].
      beside: [features], a vector that is to be independent of each d together; None for none.
    """
    count, features = vectors.shape
    for d in range(min(count, features), 0, -1):
        subsets = np.array(list(itertools.combinations(range(count), d)))
        chosen = vectors[subsets]
        if beside is not None:
            own = np.broadcast_to(beside, (len(chosen), 1, features))
            chosen = np.concatenate([chosen, own], axis=1)
        if chosen.shape[1] <= features:
            singular = np.linalg.svd(chosen, compute_uv=False)
            if (singular[:, -1] > _INDEPENDENT * singular[:, 0]).all():
                return d
    return 0
