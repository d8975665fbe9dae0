"""The part of a study that reads a field off answers, where the model sees the field and where it never did."""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import numpy as np

from leakjax.attack.invert.attribute_learned import VIEWS, learn_attribute
from leakjax.data import Points
from leakjax.inversion.attributes import EXPLAINERS, FIELDS, LEFT_OUT, RIGHT, Field, field_of
from leakjax.inversion.guards import Guard, fitting
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import ExplanationPart, Oracle, Release, Service, oracle

ATTACK = "learned attribute inference"


def measure(world: World, index: int, targets: int) -> list[Raw]:
    """Reads fields off answers about records that a model was trained on, beside others: seen by it, and censored."""
    out = guarded(world, index, targets, fitting(LEFT_OUT))
    key = jax.random.fold_in(world.key, index)
    for name in _fields(world):
        field = field_of(world, name)
        outside = np.delete(np.arange(world.points.x.shape[1]), field.columns)
        points = _of(world.points, outside)
        variables = world.trained(world.model, points, index, key)
        release = Release("confidence(2)", (ExplanationPart(EXPLAINERS[0]),))
        service = Service(world.model.logits_fn, variables)
        offer = partial(oracle, service, release, key=key, written=False)
        out.append(_read(world, index, targets, field, offer, "censored from it", outside))
    return out


def guarded(world: World, index: int, targets: int, guards: Mapping[str, Guard]) -> list[Raw]:
    """Reads fields that the model sees off answers, under some guards."""
    return [
        _read(
            world,
            index,
            targets,
            field_of(world, name),
            partial(world.offered, index, EXPLAINERS[0], prediction="confidence(2)", guard=guard),
            "in the model's input",
        )
        | {"guard": label}
        for name in _fields(world)
        for label, guard in guards.items()
    ]


def _fields(world: World) -> list[str]:
    return [name for name in FIELDS if name in set(world.points.columns)]


def _read(
    world: World,
    index: int,
    targets: int,
    field: Field,
    offer: Callable[[], Oracle],
    whose: str,
    columns: np.ndarray | None = None,
) -> Raw:
    """One row: what a forest reads off answers of a service, which sees some columns or all."""
    draws = world.draws(index, ATTACK)
    groups = [draws.permutation(rows) for rows in (world.members(index), world.others(index))]
    seen = slice(None) if columns is None else columns
    own = field.of(world.auxiliary.x)
    found: dict[str, list[np.ndarray]] = {}
    for view in VIEWS:
        offered = offer()
        read = learn_attribute(
            offered, world.auxiliary.x[own >= 0][:, seen], own[own >= 0], view=view, seed=index
        )
        for rows in groups:
            value = field.of(world.points.x[rows])
            there = rows[value >= 0][:targets]
            answer = offered.ask(world.points.x[there][:, seen], plain=view == "prediction")
            found.setdefault(view, []).append(read(answer) == value[value >= 0][:targets])
    (both, others), (alone, _) = found["both"], found["prediction"]
    setting = f"{field.name} read by a forest off confidence(2) and {EXPLAINERS[0]}, {whose}"
    return row(ATTACK, setting, RIGHT, both, baseline=alone, control=others, asked=offered)


def _of(points: Points, columns: np.ndarray) -> Points:
    return points._replace(x=points.x[:, columns], columns=tuple(points.columns[place] for place in columns))
