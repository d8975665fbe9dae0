"""Which defense of a record-based explanation stops which attack, and what is left of its usefulness."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from leakjax.records.baselines import distinct_revealed, draw_queries
from leakjax.records.graph import coverage
from leakjax.records.influence import Service, influence, top_k
from leakjax.records.membership import explanations, self_explanations
from leakjax.records.oracle import oracle
from leakjax.records.prototypes import nearest, private_prototypes, substitute
from leakjax.records.release import Release
from leakjax.records.subspace import reconstruct


class Row(NamedTuple):
    """One defense. Shares are of the training set; None where an attack or a measure does not apply.

    Attributes:
        epsilon: Of one query, where the answer has one.
        advantage: Share of members that their own explanation reveals, minus that of non-members.
        advantage_nearby: The same when the attacker queries next to the point.
        static: Records that a static batch of true points revealed.
        walked: Records that the median walk along the influence graph revealed.
        subspace: Records that Algorithm 1 measured.
        seen: Records that any answer to Algorithm 1 contained.
        most: The most records that one attack revealed.
        captured: |influence| of the released records over that of the true top k, on new points.
        likeness: 1 - the distance of the true top k to the nearest released record, over that of a random
            one.
    """

    epsilon: float | None
    advantage: float
    advantage_nearby: float
    static: int
    walked: float
    subspace: int | None
    seen: int | None
    most: float
    captured: float | None
    likeness: float


def releases(service: Service, k: int) -> Mapping[str, Release]:
    """The defenses to compare, by name; scales follow the service's own influence."""
    own = influence(service, service.model.x[:, :-1], service.model.y)
    typical = float(np.median(np.abs(own).max(axis=1)))
    return {
        "none": Release(k=k),
        "one record": Release(k=1),
        "no values": Release(k=k, values="none"),
        "no sign": Release(k=k, values="magnitude"),
        "no self": Release(k=k, exclude_self=True),
        "float32": Release(k=k, float32=True),
        "3 digits": Release(k=k, digits=3),
        "2 digits": Release(k=k, digits=2),
        "1 digit": Release(k=k, digits=1),
        "clipped values": Release(k=k, clip=0.1 * typical),
        "noisy selection, low": Release(k=k, noise=0.1 * typical),
        "noisy selection, high": Release(k=k, noise=typical),
    }


def noise_floor(release: Release, least: float = 1e-13) -> float:
    """The influence that an attacker takes for noise: the release's rounding, or `least` in float64."""
    if release.digits is not None:
        return 10.0 ** (-release.digits - 1)
    return 1e-6 if release.float32 else least


def measure(
    service: Service,
    release: Release,
    outside: np.ndarray,
    labels: np.ndarray,
    *,
    queries: int,
    key: jax.Array,
) -> Row:
    """Attacks one release of private records in every way and measures its use.

    Args:
        service: From serve.
        release: The defense.
        outside: [points, features], points that were not trained on.
        labels: [points], theirs.
        queries: Of the static batch.
        key: Of the service and the attacks.
    """
    own = self_explanations(service, release, key=key)
    here = np.arange(len(own.records))[:, None]
    advantage = float((own.records == here).any(axis=1).mean())
    # Far below any feature's resolution, and enough to be another query.
    beside = self_explanations(service, release, key=key, offset=1e-4)
    batch = draw_queries("true", outside, queries, key=key)
    static = int(distinct_revealed(oracle(service, release, key=key).ask(batch).records)[-1])
    walked = float(np.median(coverage(beside.records if release.exclude_self else own.records)))
    found = seen = None
    if release.values != "none":
        attack = reconstruct(
            oracle(service, release, key=key),
            key=key,
            signed=release.values == "signed",
            threshold=noise_floor(release),
        )
        found, seen = len(attack.found), len(attack.seen)
    exact = np.abs(influence(service, outside[:queries], labels[:queries]))
    shown = explanations(service, outside[:queries], labels[:queries], release, key=key).records
    best = top_k(exact, shown.shape[1])
    captured = np.take_along_axis(exact, shown, axis=1).sum() / np.take_along_axis(exact, best, axis=1).sum()
    records = service.model.x[:, :-1]
    return Row(
        None,
        advantage,
        float((beside.records == here).any(axis=1).mean()),
        static,
        walked,
        found,
        seen,
        float(max(static, walked, seen or 0)),
        float(captured),
        likeness(records, best, records, shown, key),
    )


def measure_prototypes(
    service: Service,
    prototypes: np.ndarray,
    outside: np.ndarray,
    labels: np.ndarray,
    *,
    k: int,
    epsilon: float | None,
    queries: int,
    key: jax.Array,
) -> Row:
    """Measures answers by public prototypes: near the private records (epsilon None) or selected privately.

    No training record is ever released, so reconstruction finds none; what is left to an attacker is
    membership: is the prototype nearest to the query in the answer more often for members?
    """
    records = service.model.x[:, :-1]

    def answer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if epsilon is not None:
            return private_prototypes(x, prototypes, records, k=k, epsilon=epsilon, key=key)
        return substitute(explanations(service, x, y, Release(k=k), key=key), records, prototypes).records

    def hits(x: np.ndarray, y: np.ndarray, offset: float) -> float:
        return float((answer(x + offset, y) == nearest(x, prototypes)[:, None]).any(axis=1).mean())

    members, own = (
        records[:: max(1, len(records) // queries)],
        service.model.y[:: max(1, len(records) // queries)],
    )
    others, theirs = outside[:queries], labels[:queries]
    advantage, nearby = (hits(members, own, step) - hits(others, theirs, step) for step in (0.0, 1e-4))
    best = top_k(np.abs(influence(service, others, theirs)), k)
    like = likeness(records, best, prototypes, answer(others, theirs), key)
    return Row(epsilon, advantage, nearby, 0, 0.0, None, None, 0.0, None, like)


def likeness(
    records: np.ndarray, best: np.ndarray, pool: np.ndarray, shown: np.ndarray, key: jax.Array
) -> float:
    """How close what is shown of a pool [queries, shown] is to the true top records [queries, k]."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    by_chance = pool[rng.integers(len(pool), size=shown.shape)]

    def distance(to: np.ndarray) -> float:
        wanted = records[best]
        gap = ((wanted[:, :, None, :] - to[:, None, :, :]) ** 2).sum(axis=-1)
        return float(np.sqrt(gap.min(axis=2)).mean())

    return 1 - distance(pool[shown]) / distance(by_chance)
