"""The part of a study that infers one field of a person's record, on tables such as Adult."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import fail
from leakjax.attack.invert.attribute import infer_attribute
from leakjax.attack.invert.learned import learn
from leakjax.attack.invert.shapley_values import read_features
from leakjax.defend import Defense, lift
from leakjax.explain import by_columns, kernel_shap
from leakjax.inversion.guards import GUARDS, NOISY, SEGMENTS
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "attribute inference"
SHAPLEY = "features from Shapley values"
OFF = "error of a number, share of its range"
PLAYED = 510  # coalitions
RIGHT = "value of the field inferred, share"
FIELDS = ("sex", "race", "marital-status")
EXPLAINERS = ("gradient", "input_x_gradient")
AVERAGED = 4  # times that each value is asked about where maps are noisy
CONFIDENT = "only above 99 % confidence"


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
    draws = world.draws(index, ATTACK)
    inside, outside = (draws.permutation(rows) for rows in (world.members(index), world.others(index)))
    out = []
    for name in (each for each in FIELDS if each in set(world.points.columns)):
        field = field_of(world, name)
        prior = np.bincount(
            field.of(world.auxiliary.x)[field.of(world.auxiliary.x) >= 0], minlength=len(field.values)
        )
        groups = [_with(field, world.points.x[rows[: 2 * targets]], targets) for rows in (inside, outside)]
        common = (groups[0][1] == prior.argmax()).astype(float)
        guessed = _from_others(world, field, groups[0][0]) == groups[0][1]
        out.append(row(ATTACK, f"{name}: commonest value", RIGHT, common))
        out.append(row(ATTACK, f"{name}: from the other fields, no model asked", RIGHT, guessed))
        for explainer in EXPLAINERS:
            for withheld in (False, True):
                found = [_inferred(world, index, explainer, field, each, prior, withheld) for each in groups]
                (views, offered), (others, _) = found
                own = "withheld" if withheld else "shown"
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
        out += _guarded(world, index, field, groups, prior)
    return out


def _guarded(world: World, index: int, field: Field, groups: Any, prior: np.ndarray) -> list[Raw]:
    """The first explainer's rows, the field's own attribution withheld, under every guard."""
    explainer = EXPLAINERS[0]
    setting = f"{field.name}: confidence(2) and {explainer}, own attribution withheld"
    guards: dict[str, Any] = {
        name: each
        for name, each in GUARDS.items()
        if name not in ("none", SEGMENTS)  # of images
    }
    guards |= {"columns together": by_column(world.points.columns), CONFIDENT: "none"}
    out = []
    for name, guard in guards.items():
        policy = {"least_confidence": 0.99} if name == CONFIDENT else {}
        (views, offered), (others, _) = (
            _inferred(world, index, explainer, field, each, prior, True, guard, **policy) for each in groups
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
    draws = world.draws(index, SHAPLEY)
    names = [
        name for name in dict.fromkeys(world.points.columns) if list(world.points.columns).count(name) == 1
    ]
    columns = np.array([list(world.points.columns).index(name) for name in names])
    cells = by_columns(world.points.columns, shape=world.points.x.shape[1:])
    explain = kernel_shap(world.model.logits_fn, samples=PLAYED, baseline=0.0, output="probability")

    def by_column(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        return explain(variables, x, target, key=jax.random.key(0), segments=cells)

    out = []
    for rows, whose in ((world.members(index), "trained on"), (world.others(index), "not trained on")):
        x = world.points.x[draws.permutation(rows)[:targets]]
        offered = world.offered(index, by_column)
        released = offered.ask(x)
        random = read_features(offered, released, shape=x.shape[1:], seed=index)
        mean = np.abs(world.auxiliary.x.mean(axis=0) - x)[:, columns].mean(axis=1)
        error = np.abs(random.features - x)[:, columns].mean(axis=1)
        out.append(row(SHAPLEY, f"random queries, records {whose}", OFF, error, baseline=mean, asked=offered))
        offered = world.offered(index, by_column)
        key = jax.random.fold_in(world.key, index)
        inverter = learn(
            offered, world.auxiliary.x, view="both", classes=world.points.classes, key=key, epochs=60
        )
        error = np.abs(inverter(released) - x)[:, columns].mean(axis=1)
        out.append(
            row(SHAPLEY, f"data of its own, records {whose}", OFF, error, baseline=mean, asked=offered)
        )
    return out


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
    guard: Any = "none",
    **policy: Any,
) -> tuple[dict[str, np.ndarray], Any]:
    """Whether each value was inferred, by view, and the oracle that was asked."""
    x, value = group
    offered = world.offered(index, explainer, prediction="confidence(2)", guard=guard, **policy)
    released = offered.ask(x)
    found = infer_attribute(
        offered,
        released,
        x,
        field.values,
        field.columns,
        prior / prior.sum(),
        withheld=withheld,
        repeats=AVERAGED if guard in NOISY else 1,
    )
    return {view: (likely == value).astype(float) for view, likely in found.value.items()}, offered


def _from_others(world: World, field: Field, x: np.ndarray) -> np.ndarray:
    """The field as a logistic regression on the attacker's own rows reads it off the other fields."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    own, value = _with(field, world.auxiliary.x)
    kept = np.ones(x.shape[1], bool)
    kept[field.columns] = False
    return LogisticRegression(max_iter=300).fit(own[:, kept], value).predict(x[:, kept])
