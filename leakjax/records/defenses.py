"""Which defense of a record-based explanation stops which attack, and how useful it still is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from leakjax.influence.exact import top_k
from leakjax.records.baselines import distinct_revealed, static_batches
from leakjax.records.descent import descend
from leakjax.records.graph import coverage
from leakjax.records.oracle import RecordOracle
from leakjax.records.part import Explanation, RecordPart
from leakjax.records.prototypes import nearest, private_prototypes, substitute
from leakjax.records.subspace import reconstruct


class Target(NamedTuple):
    """A model behind any defense, and the points that are asked about.

    Attributes:
      offer: The oracle for what is released.
      x: [records, features], the private records.
      y: [records], their labels.
      outside: [others, features], points that were not trained on.
      labels: [others], theirs.
      blocks: int [features]; see draw_queries.
      loss: Whose change is the influence; see influence.
      threshold: The influence that Algorithm 1 takes for noise; None for a model that is not linear.
    """

    offer: Callable[[RecordPart], RecordOracle]
    x: np.ndarray
    y: np.ndarray
    outside: np.ndarray
    labels: np.ndarray
    blocks: np.ndarray
    loss: str
    threshold: float | None


class Row(NamedTuple):
    """One defense. Counts are of training records; None where an attack or a measure does not apply.

    Attributes:
      epsilon: Of one query, where the answer has one.
      advantage: Share of training records that their own explanation reveals, minus that of other points.
      advantage_nearby: The same when the attacker queries next to the point.
      static_uniform: Records that a static batch of uniform queries revealed.
      static_marginal: The same of queries drawn from the marginals.
      static_true: The same of real points that were not trained on.
      walked: Records that the median walk along the influence graph revealed.
      descent: Records that gradient descent revealed with the queries of one static batch.
      subspace: Records that Algorithm 1 measured.
      seen: Records that any answer to Algorithm 1 contained.
      subspace_queries: Queries that Algorithm 1 asked.
      most: The most records that one attack revealed.
      captured: |influence| of the released records over that of the true top k, on new points; k is that of the
        undefended answer.
      likeness: 1 - the distance of the true top k to the nearest released record, over that to the nearest of k
        random ones.
      values: Correlation of the released values with the true influence of their records.
    """

    epsilon: float | None
    advantage: float
    advantage_nearby: float
    static_uniform: int
    static_marginal: int
    static_true: int
    walked: float
    descent: int | None
    subspace: int | None
    seen: int | None
    subspace_queries: int | None
    most: float
    captured: float | None
    likeness: float
    values: float | None


def defended(typical: float, k: int) -> Mapping[str, RecordPart]:
    """The defenses to compare, by name; bounds and noise follow the typical influence of a leading record."""
    return {
        "none": RecordPart(k=k),
        "one record": RecordPart(k=1),
        "no values": RecordPart(k=k, values="none"),
        "no sign": RecordPart(k=k, values="magnitude"),
        "no self": RecordPart(k=k, exclude_self=True),
        "float32": RecordPart(k=k, float32=True),
        "3 digits": RecordPart(k=k, digits=3),
        "2 digits": RecordPart(k=k, digits=2),
        "1 digit": RecordPart(k=k, digits=1),
        "clipped values": RecordPart(k=k, clip=0.1 * typical),
        "noisy selection, low": RecordPart(k=k, noise=0.1 * typical),
        "noisy selection, high": RecordPart(k=k, noise=typical),
    }


def noise_floor(released: RecordPart, least: float) -> float:
    """The influence that an attacker takes for noise: the rounding of what is released, or `least` in float64."""
    if released.digits is not None:
        return 10.0 ** (-released.digits - 1)
    return 1e-6 if released.float32 else least


def compare_defenses(
    target: Target, *, k: int, queries: int, prototypes: int, key: jax.Array
) -> dict[str, dict[str, float | None]]:
    """Every defense of a target under every attack.

    Args:
      target: What is attacked; the last of its outside points serve as public prototypes.
      k: Records of an explanation.
      queries: Of each static batch and of the descent.
      prototypes: How many points are public; at most half of those outside.
      key: Of the service and the attacks.

    Returns:
      The name of each defense to the fields of its Row.
    """
    count = max(1, min(prototypes, len(target.outside) // 2))
    public = target.outside[-count:]
    target = target._replace(outside=target.outside[:-count], labels=target.labels[:-count])
    queries = min(queries, len(target.outside))
    leading = np.abs(true_influence(target, target.x, target.y)).max(axis=1)
    exact = true_influence(target, target.outside[:queries], target.labels[:queries])
    rows = {
        name: measure(target, released, exact, k=k, queries=queries, key=key)
        for name, released in defended(float(np.median(leading)), k).items()
    }
    for name, epsilon in (
        ("public prototypes", None),
        ("private prototypes", 10.0),
        ("private prototypes, strict", 1.0),
    ):
        rows[name] = measure_prototypes(
            target, public, exact, k=min(k, count), epsilon=epsilon, queries=queries, key=key
        )
    return {name: row._asdict() for name, row in rows.items()}


def true_influence(target: Target, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The influence [queries, records] of every record on queries x [queries, features] of labels y."""
    answer = target.offer(RecordPart(k=len(target.x))).ask(x, y)
    result = np.empty(answer.records.shape)
    np.put_along_axis(result, answer.records, np.asarray(answer.values), axis=1)
    return result


def measure(
    target: Target, released: RecordPart, exact: np.ndarray, *, k: int, queries: int, key: jax.Array
) -> Row:
    """Attacks what is released of private records in every way and measures its utility.

    Args:
      target: What is attacked.
      released: The defense.
      exact: [queries, records], the true influence on as many points from outside.
      k: Records of the undefended answer, by which the utility is measured.
      queries: Of each static batch and of the descent.
      key: Of the attacks.
    """
    own = target.offer(released).ask(target.x, target.y).records
    # Far below any feature's resolution, and enough to be another query.
    beside = target.offer(released).ask(target.x + 1e-4, target.y).records
    here = np.arange(len(own))[:, None]
    asked = static_batches(target.offer(released), target.outside, queries, key=key, blocks=target.blocks)
    static = {f"static_{name}": int(distinct_revealed(records)[-1]) for name, records in asked.items()}
    walked = float(np.median(coverage(beside if released.exclude_self else own)))
    descent = found = seen = asked_in_all = values = None
    if released.values != "none":
        descent = int(descend(target.offer(released), budget=queries, key=key).discovered[-1])
        if target.threshold is not None:
            attack = reconstruct(
                target.offer(released),
                key=key,
                loss=target.loss,
                signed=released.values == "signed",
                threshold=noise_floor(released, target.threshold),
            )
            found, seen, asked_in_all = len(attack.found), len(attack.seen), attack.queries
    answer = target.offer(released).ask(target.outside[:queries], target.labels[:queries])
    best, shown = top_k(np.abs(exact), k), answer.records
    of_best, of_shown = (np.take_along_axis(exact, records, axis=1) for records in (best, shown))
    if answer.values is not None:
        told = np.ravel(answer.values)
        # Values that were all rounded to the same tell nothing.
        values = float(np.corrcoef(told, of_shown.ravel())[0, 1]) if np.ptp(told) else 0.0
    return Row(
        epsilon=None,
        advantage=float((own == here).any(axis=1).mean()),
        advantage_nearby=float((beside == here).any(axis=1).mean()),
        **static,
        walked=walked,
        descent=descent,
        subspace=found,
        seen=seen,
        subspace_queries=asked_in_all,
        most=float(max(*static.values(), walked, descent or 0, seen or 0)),
        captured=float(np.abs(of_shown).sum() / np.abs(of_best).sum()),
        likeness=likeness(target.x, best, target.x, shown, key),
        values=values,
    )


def measure_prototypes(
    target: Target,
    prototypes: np.ndarray,
    exact: np.ndarray,
    *,
    k: int,
    epsilon: float | None,
    queries: int,
    key: jax.Array,
) -> Row:
    """Measures answers by public prototypes: near the private records (epsilon None) or selected privately.

    No training record is ever released, so reconstruction finds none; what is left to an attacker is
    membership: is the prototype nearest to the query in the answer more often for training records?
    """

    def answer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if epsilon is not None:
            return private_prototypes(x, prototypes, target.x, k=k, epsilon=epsilon, key=key)
        shown = target.offer(RecordPart(k=k, values="none")).ask(x, y).records
        return substitute(Explanation(shown, None), target.x, prototypes).records

    def hits(x: np.ndarray, y: np.ndarray, offset: float) -> float:
        return float((answer(x + offset, y) == nearest(x, prototypes)[:, None]).any(axis=1).mean())

    every = max(1, len(target.x) // queries)
    trained, own = target.x[::every], target.y[::every]
    others, theirs = target.outside[:queries], target.labels[:queries]
    advantage, nearby = (hits(trained, own, step) - hits(others, theirs, step) for step in (0.0, 1e-4))
    like = likeness(target.x, top_k(np.abs(exact), k), prototypes, answer(others, theirs), key)
    return Row(
        epsilon=epsilon,
        advantage=advantage,
        advantage_nearby=nearby,
        static_uniform=0,
        static_marginal=0,
        static_true=0,
        walked=0.0,
        descent=None,
        subspace=None,
        seen=None,
        subspace_queries=None,
        most=0.0,
        captured=None,
        likeness=like,
        values=None,
    )


def likeness(
    records: np.ndarray, best: np.ndarray, pool: np.ndarray, shown: np.ndarray, key: jax.Array
) -> float:
    """How close what is shown of a pool [queries, shown] is to the true top records [queries, k]."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    by_chance = pool[rng.integers(len(pool), size=best.shape)]

    def distance(to: np.ndarray) -> float:
        wanted = records[best]
        gap = ((wanted[:, :, None, :] - to[:, None, :, :]) ** 2).sum(axis=-1)
        return float(np.sqrt(gap.min(axis=2)).mean())

    return 1 - distance(pool[shown]) / distance(by_chance)
