"""The part of a study that infers one field of a person's record, on tables such as Adult."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import UsageError, fail
from leakjax.attack.invert.attribute import infer_attribute
from leakjax.attack.invert.learned import learn
from leakjax.attack.invert.shapley_values import read_features
from leakjax.defend import Defense, lift
from leakjax.explain import Explainer, by_columns, kernel_shap
from leakjax.inversion.guards import (
    AS_LABEL,
    AS_NOISE,
    AS_PLAIN,
    CLASS_MEAN,
    NO_IMAGE,
    PLAIN,
    POLICY,
    SEGMENTS,
    STICKY,
    Guard,
    fitting,
)
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "attribute inference"
SHAPLEY = "features from Shapley values"
OFF = "error of a number, share of its range"
PLAYED = 510  # coalitions
LEFT_OUT_OF_SHAPLEY = {
    SEGMENTS: "columns are together anyway",
    STICKY: AS_NOISE,
    CLASS_MEAN: AS_LABEL,
    POLICY: AS_PLAIN,
}
RIGHT = "value of the field inferred, share"
FIELDS = ("sex", "race", "marital-status")
EXPLAINERS = ("gradient", "input_x_gradient")
LEADING = (EXPLAINERS[0], True)  # what guards are measured on, its own attribution withheld
TOGETHER = "columns together"  # what segments are on tables
LEFT_OUT = {SEGMENTS: NO_IMAGE, STICKY: AS_NOISE, CLASS_MEAN: AS_LABEL, POLICY: AS_PLAIN}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a table and how it is encoded.

    Attributes:
      name: of the column.
      columns: int [columns], its features.
      values: [values, columns], each value's encoding.
    """

    name: str
    columns: np.ndarray
    values: np.ndarray

    def of(self, x: np.ndarray) -> np.ndarray:
        """int [rows]: which value each row has; -1 where it has none of them."""
        same = (x[:, None, self.columns] == self.values[None]).all(axis=2)
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def field_of(world: World, name: str) -> Field:
    """The field of a column of indicators.

    Raises:
      UsageError: the points have no such column.
    """
    columns = np.flatnonzero(np.asarray(world.points.columns) == name)
    if not len(columns):
        raise fail("field", name, "is no column of indicators of these points")
    return Field(name, columns, np.eye(len(columns), dtype=np.float32))


def measure(world: World, index: int, targets: int) -> list[Raw]:
    """Infers fields of records that a model was trained on, beside those that it was not."""
    out = guarded(
        world, index, targets, {**fitting(LEFT_OUT), TOGETHER: Guard(by_column(world.points.columns))}
    )
    for field, prior, groups in _asked_about(world, index, targets):
        name = field.name
        common = (groups[0][1] == prior.argmax()).astype(float)
        guessed = _from_others(world, field, groups[0][0]) == groups[0][1]
        out.append(row(ATTACK, f"{name}: commonest value", RIGHT, common))
        out.append(row(ATTACK, f"{name}: from the other fields, no model asked", RIGHT, guessed))
        for explainer in EXPLAINERS:
            for withheld in (False, True):
                found = [_inferred(world, index, explainer, field, each, prior, withheld) for each in groups]
                (views, offered), (others, _) = found
                own = "withheld" if withheld else "shown"
                if (explainer, withheld) == LEADING:
                    continue  # among the guards
                setting = f"{name}: confidence(2) and {explainer}, own attribution {own}"
                out.append(
                    row(
                        ATTACK,
                        setting,
                        RIGHT,
                        views["both"],
                        baseline=views["prediction"],
                        control=others["both"],
                        asked=offered,
                    )
                )
    return out


def _asked_about(world: World, index: int, targets: int) -> list[tuple[Field, np.ndarray, Any]]:
    """Each field with how often its values are, and records that a model was trained on, beside others."""
    draws = world.draws(index, ATTACK)
    rows = [draws.permutation(each) for each in (world.members(index), world.others(index))]
    found = []
    for name in (each for each in FIELDS if each in set(world.points.columns)):
        field = field_of(world, name)
        own = field.of(world.auxiliary.x)
        groups = [_with(field, world.points.x[each[: 2 * targets]], targets) for each in rows]
        found.append((field, np.bincount(own[own >= 0], minlength=len(field.values)), groups))
    return found


def guarded(world: World, index: int, targets: int, guards: Mapping[str, Guard]) -> list[Raw]:
    """Infers fields off the leading explainer, the field's own attribution withheld, under some guards."""
    explainer, withheld = LEADING
    out = []
    for field, prior, groups in _asked_about(world, index, targets):
        setting = f"{field.name}: confidence(2) and {explainer}, own attribution withheld"
        for name, guard in guards.items():
            (views, offered), (others, _) = (
                _inferred(world, index, explainer, field, each, prior, withheld, guard) for each in groups
            )
            found = {"baseline": views["prediction"], "control": others["both"], "asked": offered}
            out.append(row(ATTACK, setting, RIGHT, views["both"], guard=name, **found))
    return out


def by_column(columns: Sequence[str]) -> Defense:
    """The defense that shows of all features of a column their mean alone."""
    place = np.unique(np.asarray(columns), return_inverse=True)[1]
    share = np.eye(place.max() + 1, dtype=np.float32)[place]
    mean = jnp.asarray(share / share.sum(axis=0) @ share.T)
    return lift("columns together", lambda attribution: mean @ attribution)


def read(world: World, index: int, targets: int) -> list[Raw]:
    """Reads numbers off the Shapley values of a record's columns, with data of one's own and without."""
    out = read_guarded(world, index, targets, fitting(LEFT_OUT_OF_SHAPLEY))
    columns, explain = _numeric(world), _shapley(world)
    for x, whose in _records(world, index, targets):
        offered = world.offered(index, explain)
        found = read_features(offered, offered.ask(x), shape=x.shape[1:], seed=index).features
        mean, error = (np.abs(each - x)[:, columns].mean(axis=1) for each in (_mean(world, x), found))
        out.append(row(SHAPLEY, f"random queries, records {whose}", OFF, error, baseline=mean, asked=offered))
    return out


def read_guarded(world: World, index: int, targets: int, guards: Mapping[str, Guard]) -> list[Raw]:
    """Reads numbers off Shapley values with data of one's own, under some guards."""
    columns, explain = _numeric(world), _shapley(world)
    key = jax.random.fold_in(world.key, index)
    out = []
    for name, guard in guards.items():
        for x, whose in _records(world, index, targets):
            offered = world.offered(index, explain, guard=guard)
            mean = _mean(world, x)
            try:
                decode = learn(
                    offered, world.auxiliary.x, view="both", classes=world.points.classes, key=key, epochs=60
                )
                made = decode(offered.ask(x))
            except UsageError:  # no values are shown that could be learned from
                made = np.full(x.shape, np.nan)
            found = np.where(np.isfinite(made), made, mean)  # of values that are withheld
            off, without = (np.abs(each - x)[:, columns].mean(axis=1) for each in (found, mean))
            setting = f"data of its own, records {whose}"
            out.append(row(SHAPLEY, setting, OFF, off, guard=name, baseline=without, asked=offered))
    return out


def _numeric(world: World) -> np.ndarray:
    """The features of columns that are one number each."""
    names = list(world.points.columns)
    return np.array([place for place, name in enumerate(names) if names.count(name) == 1])


def _shapley(world: World) -> Explainer:
    """Shapley values of columns."""
    cells = by_columns(world.points.columns, shape=world.points.x.shape[1:])
    explain = kernel_shap(world.model.logits_fn, samples=PLAYED, baseline=0.0, output="probability")

    def of_columns(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        return explain(variables, x, target, key=jax.random.key(0), segments=cells)

    return of_columns


def _records(world: World, index: int, targets: int) -> list[tuple[np.ndarray, str]]:
    draws = world.draws(index, SHAPLEY)
    kinds = ((world.members(index), "trained on"), (world.others(index), "not trained on"))
    return [(world.points.x[draws.permutation(rows)[:targets]], whose) for rows, whose in kinds]


def _mean(world: World, x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(world.auxiliary.x.mean(axis=0), x.shape)


def _with(field: Field, x: np.ndarray, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first rows that have the field, and its values."""
    value = field.of(x)
    return x[value >= 0][:most], value[value >= 0][:most]


def _inferred(
    world: World,
    index: int,
    explainer: str,
    field: Field,
    group: tuple[np.ndarray, np.ndarray],
    prior: np.ndarray,
    withheld: bool,
    guard: Guard = PLAIN,
) -> tuple[dict[str, np.ndarray], Any]:
    """Whether each value was inferred, by view, and the oracle that was asked."""
    x, value = group
    offered = world.offered(index, explainer, prediction="confidence(2)", guard=guard)
    released = offered.ask(x)
    found = infer_attribute(
        offered,
        released,
        x,
        field.values,
        field.columns,
        prior / prior.sum(),
        withheld=withheld,
        repeats=guard.repeats,
    )
    return {view: (likely == value).astype(float) for view, likely in found.value.items()}, offered


def _from_others(world: World, field: Field, x: np.ndarray) -> np.ndarray:
    """The field as a logistic regression on the attacker's own rows reads it off the other fields."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    own, value = _with(field, world.auxiliary.x)
    kept = np.ones(x.shape[1], bool)
    kept[field.columns] = False
    return LogisticRegression(max_iter=300).fit(own[:, kept], value).predict(x[:, kept])
