"""One draw of training records under every attack: the measurements that stand beside the paper's."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax.data import evenly_spaced
from leakjax.data.outliers import outliers
from leakjax.influence.exact import Service, serve
from leakjax.records.baselines import distinct_revealed, static_batches
from leakjax.records.defenses import Target, compare_defenses, noise_floor
from leakjax.records.encode import Task, draw
from leakjax.records.graph import STRATEGIES, coverage, summarise, traverse
from leakjax.records.oracle import offer
from leakjax.records.part import RecordPart
from leakjax.records.revealing import auc, self_explanations, self_revealing
from leakjax.records.subspace import reconstruct

OUTLIERS = "distance to other records"  # a group beside those of the task
K = (1, 5, 10)  # of the paper's figures 6 and 9
ORACLES: Mapping[str, RecordPart] = {
    "exact": RecordPart(k=1),
    "no_sign": RecordPart(k=1, values="magnitude"),
    "float32": RecordPart(k=1, float32=True),
    "digits4": RecordPart(k=1, digits=4),
    "digits3": RecordPart(k=1, digits=3),
    "digits2": RecordPart(k=1, digits=2),
}


class Draw(NamedTuple):
    """A trained service and the points around it.

    Attributes:
      service: On the drawn points.
      records: int [records], the rows of its training records in the task, in the service's order.
      outside: int [others], the rows that were not drawn.
      key: Of this draw.
    """

    service: Service
    records: np.ndarray
    outside: np.ndarray
    key: jax.Array


def make_draw(task: Task, points: int, *, l2: float, key: jax.Array) -> Draw:
    """Draws training records from the task and trains the service on them.

    Args:
      task: Where they are from.
      points: How many.
      l2: Penalty on the sum of losses.
      key: Of the draw and of all that is done with it.
    """
    rows, outside = draw(task, points, key=jax.random.fold_in(key, 0))
    service = serve(task.x[rows], task.y[rows], l2=l2)
    return Draw(service, rows[service.source], outside, jax.random.fold_in(key, 1))


def revealing(task: Task, drawn: Draw, *, loss: str) -> dict[str, Any]:
    """Self-revealing records, by group (outliers among them), and the leading influence on them and on other points.

    Args:
      task: Where the points are from.
      drawn: From make_draw.
      loss: Whose change is the influence; see influence.
    """
    service, records = drawn.service, len(drawn.records)
    released = RecordPart(k=min(max(K), records))
    own = self_explanations(service, released, key=drawn.key, loss=loss)
    revealed = {str(k): self_revealing(own, min(k, records)) for k in K}
    others = drawn.outside[:records]
    theirs = offer(service, released, key=drawn.key, loss=loss, written=False).ask(
        task.x[others], task.y[others]
    )
    first = [np.abs(np.asarray(part.values)[:, 0]) for part in (own, theirs)]
    return {
        "revealed": {k: np.flatnonzero(hit).tolist() for k, hit in revealed.items()},
        "records": records,
        "groups": {
            **{name: group[drawn.records].tolist() for name, group in task.groups.items()},
            OUTLIERS: outliers(task.x[drawn.records]).tolist(),
        },
        "unconverged": int((~service.without.converged).sum()),
        "auc_of_influence": auc(*first) if len(others) else None,
        "auc_without_revealed": auc(first[0][~revealed["1"]], first[1]) if len(others) else None,
        "member_influence": first[0].tolist(),
        "other_influence": first[1].tolist(),
    }


def static(task: Task, drawn: Draw, *, queries: int, loss: str) -> dict[str, Any]:
    """Distinct records revealed by static batches of queries: for each distribution and k, [queries].

    Args:
      task: Where the points are from.
      drawn: From make_draw.
      queries: Of each batch.
      loss: Whose change is the influence; see influence.
    """
    released = RecordPart(k=min(max(K), len(drawn.records)), values="none")
    shown = static_batches(
        offer(drawn.service, released, key=drawn.key, loss=loss, written=False),
        task.x[drawn.outside] if len(drawn.outside) else task.x,
        queries,
        key=drawn.key,
        blocks=task.blocks,
    )
    return {
        name: {str(k): distinct_revealed(records[:, :k]).tolist() for k in K}
        for name, records in shown.items()
    }


def graph(drawn: Draw, *, k: int, walks: int, loss: str) -> dict[str, Any]:
    """The influence graph: key numbers, coverage from every start, and the queries of each strategy.

    Args:
      drawn: From make_draw.
      k: Records of an explanation.
      walks: Starts from which each strategy walks, evenly spaced over the records.
      loss: Whose change is the influence; see influence.
    """
    released = RecordPart(k=k, values="none")
    neighbours = self_explanations(drawn.service, released, key=drawn.key, loss=loss).records
    reach = coverage(neighbours)
    starts = evenly_spaced(walks, len(reach))
    queries = {
        strategy: float(
            np.mean(
                [
                    traverse(neighbours, int(s), strategy, key=jax.random.fold_in(drawn.key, s)).queries
                    for s in starts
                ]
            )
        )
        for strategy in (*STRATEGIES, "omniscient")
    }
    return {**summarise(neighbours)._asdict(), "coverage": reach.tolist(), "queries": queries}


def subspace(
    drawn: Draw, *, oracles: tuple[str, ...], loss: str = "probability", threshold: float = 1e-13
) -> dict[str, Any]:
    """Algorithm 1 against oracles that release more or less, beside the rank that bounds it.

    Args:
      drawn: From make_draw.
      oracles: Names in ORACLES.
      loss: Whose change is the influence; see influence.
      threshold: The influence that is taken for noise where nothing is rounded.
    """
    service = drawn.service
    result: dict[str, Any] = {"rank": int(np.linalg.matrix_rank(service.model.x))}
    hold = bool(service.without.converged.all())
    for name in oracles:
        released = ORACLES[name]
        attack = reconstruct(
            offer(service, released, key=drawn.key, loss=loss, written=False, hold=hold),
            key=drawn.key,
            loss=loss,
            signed=released.values == "signed",
            threshold=noise_floor(released, threshold),
        )
        result[name] = {
            "found": len(attack.found),
            "seen": len(attack.seen),
            "queries": attack.queries,
            "theta_error": float(np.abs(attack.theta - service.model.theta).max()),
        }
    return result


def defenses(
    task: Task, drawn: Draw, *, k: int, queries: int, loss: str, threshold: float, prototypes: int = 200
) -> dict[str, Any]:
    """Every defense of the service under every attack.

    Args:
      task: Where the points are from.
      drawn: From make_draw.
      k: Records of an explanation.
      queries: Of each static batch and of the descent.
      loss: Whose change is the influence; see influence.
      threshold: See subspace.
      prototypes: How many points are public; see compare_defenses.

    Returns:
      The name of each defense to the fields of its Row.
    """
    model = drawn.service.model
    target = Target(
        offer=partial(offer, drawn.service, key=drawn.key, loss=loss, written=False),
        x=model.x[:, :-1],
        y=model.y,
        outside=task.x[drawn.outside],
        labels=task.y[drawn.outside],
        blocks=task.blocks,
        loss=loss,
        threshold=threshold,
    )
    return compare_defenses(target, k=k, queries=queries, prototypes=prototypes, key=drawn.key)


def brief(drawn: Draw, *, k: int = 5, loss: str = "probability") -> dict[str, float]:
    """The paper's key numbers alone, for sweeps over settings.

    Args:
      drawn: From make_draw.
      k: Records of an explanation, for the influence graph.
      loss: Whose change is the influence; see influence.
    """
    released = RecordPart(k=min(max(K), len(drawn.records)), values="magnitude")
    own = self_explanations(drawn.service, released, key=drawn.key, loss=loss)
    shares = {f"k={each}": float(self_revealing(own, min(each, released.k)).mean()) for each in K}
    return {
        **shares,
        **summarise(own.records[:, :k])._asdict(),
        "typical_influence": float(np.median(np.asarray(own.values)[:, 0])),
        "unconverged": int((~drawn.service.without.converged).sum()),
    }
