"""The part of a study that reads a field off answers, where the model sees the field and where it never did."""

import jax
import numpy as np

from leakjax.attack.invert.attribute_learned import VIEWS, learn_attribute
from leakjax.data import Points
from leakjax.inversion.attributes import EXPLAINERS, FIELDS, RIGHT, Field, field_of
from leakjax.inversion.networks import trained_one
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import ExplanationPart, Release, Service, oracle
from leakjax.shadow import TrainConfig

ATTACK = "learned attribute inference"


def measure(world: World, index: int, targets: int, epochs: int) -> list[Raw]:
    """Reads fields off answers about records that a model was trained on, beside those that it was not."""
    draws = world.draws(index, ATTACK)
    groups = [draws.permutation(rows) for rows in (world.members(index), world.others(index))]
    out = []
    for name in (each for each in FIELDS if each in set(world.points.columns)):
        field = field_of(world, name)
        outside = np.delete(np.arange(world.points.x.shape[1]), field.columns)
        for whose, columns in (("in the model's input", None), ("censored from it", outside)):
            variables = world.variables(index)
            if columns is not None:
                points = _of(world.points, columns)
                key = jax.random.fold_in(world.key, index)
                member = world.ensemble.membership[index]
                variables = trained_one(world.model, points, member, TrainConfig(epochs=epochs), key, index)
            setting = f"{name} read by a forest off confidence(2) and {EXPLAINERS[0]}, {whose}"
            out.append(_read(world, index, field, groups, variables, columns, targets, setting))
    return out


def _read(
    world: World,
    index: int,
    field: Field,
    groups: list[np.ndarray],
    variables: object,
    columns: np.ndarray | None,
    targets: int,
    setting: str,
) -> Raw:
    """One row: what a forest reads off answers of one model, which sees some columns or all."""
    part = ExplanationPart(EXPLAINERS[0])
    release = Release("confidence(2)", (part,))
    key = jax.random.fold_in(world.key, index)
    seen = slice(None) if columns is None else columns
    own = field.of(world.auxiliary.x)
    found: dict[str, list[np.ndarray]] = {}
    for view in VIEWS:
        offered = oracle(Service(world.model.logits_fn, variables), release, key=key, written=False)
        read = learn_attribute(
            offered, world.auxiliary.x[own >= 0][:, seen], own[own >= 0], view=view, seed=index
        )
        for rows in groups:
            value = field.of(world.points.x[rows])
            there = rows[value >= 0][:targets]
            answer = offered.ask(world.points.x[there][:, seen], plain=view == "prediction")
            found.setdefault(view, []).append(read(answer) == value[value >= 0][:targets])
    (both, others), (alone, _) = found["both"], found["prediction"]
    return row(ATTACK, setting, RIGHT, both, baseline=alone, control=others, asked=offered)


def _of(points: Points, columns: np.ndarray) -> Points:
    return points._replace(x=points.x[:, columns], columns=tuple(points.columns[place] for place in columns))
