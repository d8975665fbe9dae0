"""The service that is watched and attacked: its models, the owner's records and those of its users."""

from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp

from leakjax import data, shadow
from leakjax._validate import fail
from leakjax.data import Points
from leakjax.models import from_flax
from leakjax.monitoring.plan import Plan
from leakjax.shadow import TrainConfig

_LEAST = 100  # points


class Rectified(nn.Module):
    """One hidden layer with relu, whose kinks a search for hyperplanes finds."""

    classes: int
    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps examples [batch, ...], flattened, to logits [batch, classes]."""
        hidden = nn.Dense(self.hidden, name="inside")(x.reshape(x.shape[0], -1))
        return nn.Dense(self.classes, name="outside")(jax.nn.relu(hidden))


class Answer(NamedTuple):
    """What the service answers: log-probabilities [classes], and an explanation [features].

    The explanation is the gradient of the log-probability of the class that was asked for.
    """

    log_probability: jax.Array
    explanation: jax.Array


class World(NamedTuple):
    """A service and the records around it; all records are flat.

    Attributes:
      owned: float32 [points, features], the owner's: models are trained on them, monitors know them.
      owned_label: int32 [points], of these.
      pool: float32 [points, features], records of users, which nobody trained on.
      label: int32 [points], of the pool, which is sorted by it.
      first: int32 [classes], where a class begins in the pool.
      number: int32 [classes], how many records it has there.
      low: least value of a feature.
      high: largest value of a feature.
      spread: standard deviation of the owner's records, the root of the mean over features.
      noise: standard deviation of the sensor.
      cells: int32 [features], which features LIME hides together.
      variables: of the models, leaves [targets, ...].
      accuracy: float [targets], on the pool.
    """

    owned: jax.Array
    owned_label: jax.Array
    pool: jax.Array
    label: jax.Array
    first: jax.Array
    number: jax.Array
    low: float
    high: float
    spread: float
    noise: float
    cells: np.ndarray
    variables: Any
    accuracy: np.ndarray

    @property
    def features(self) -> int:
        """How many numbers a query has."""
        return self.owned.shape[1]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.first)

    def of_target(self, target: jax.Array | int) -> Any:
        """The variables of one model."""
        return jax.tree.map(lambda leaf: leaf[target], self.variables)


def load(plan: Plan, data_dir: str | None = None, source_dir: str | None = None) -> Points:
    """The points of a plan.

    Args:
      plan: of the study.
      data_dir: where data sets are kept once prepared, as `leakjax.data.load` takes it.
      source_dir: a folder with the original files, which are then not downloaded.

    Raises:
      UsageError: too few of them, or a folder that is none.
    """
    points = data.load(plan.dataset, data_dir=data_dir, source_dir=source_dir, points=plan.points)
    if len(points.x) < _LEAST:
        raise fail("points", len(points.x), f"must be at least {_LEAST}")
    return points


def make(plan: Plan, points: Points) -> World:
    """Trains the models on one half of the points, and leaves the other to users.

    Args:
      plan: of the study.
      points: of `load`.

    Returns:
      The world.

    Raises:
      UsageError: a class of which users have fewer than two records.
    """
    key = jax.random.key(plan.seed)
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 0), len(points.x)))
    owners, users = np.array_split(order, 2)
    users = users[np.argsort(points.y[users], kind="stable")]
    flat = points.x.reshape(len(points.x), -1).astype(np.float32)
    number = np.bincount(points.y[users], minlength=points.classes)
    if number.min() < 2:
        rule = "has fewer than 2 records of users; use a data set of fewer classes or more points"
        raise fail("class", int(number.argmin()), rule)
    ids = np.arange(plan.targets, dtype=np.int32)
    model = from_flax(Rectified(points.classes, plan.hidden))
    members = np.asarray(data.membership(jax.random.fold_in(key, 1), ids, len(owners)))
    config = TrainConfig(epochs=60, weight_decay=1e-4)
    ensemble = shadow.train_ensemble(
        model,
        flat[owners],
        points.y[owners].astype(np.int32),
        config,
        key=jax.random.fold_in(key, 2),
        membership=members,
        ids=ids,
    )
    variables = jax.tree.map(jnp.asarray, ensemble.variables)
    predict = jax.vmap(lambda own: jnp.argmax(jax.vmap(lambda x: logits(own, x))(flat[users]), axis=1))
    spread = float(np.sqrt(flat[owners].var(axis=0).mean()))
    return World(
        jnp.asarray(flat[owners]),
        jnp.asarray(points.y[owners], jnp.int32),
        jnp.asarray(flat[users]),
        jnp.asarray(points.y[users], jnp.int32),
        jnp.asarray(np.cumsum(number) - number, jnp.int32),
        jnp.asarray(number, jnp.int32),
        float(flat.min()),
        float(flat.max()),
        spread,
        plan.noise * spread,
        cells_of(points.x.shape[1:]),
        variables,
        np.asarray(predict(variables) == points.y[users]).mean(axis=1),
    )


def logits(variables: Any, x: jax.Array) -> jax.Array:
    """The logits [classes] of one record [features]: those of `Rectified`, whatever its sizes."""
    return (
        jax.nn.relu(inside(variables, x)) @ variables["params"]["outside"]["kernel"]
        + (variables["params"]["outside"]["bias"])
    )


def inside(variables: Any, x: jax.Array) -> jax.Array:
    """What goes into the hidden units [hidden]; a unit's hyperplane is where that is 0."""
    return x @ variables["params"]["inside"]["kernel"] + variables["params"]["inside"]["bias"]


def answer(variables: Any, x: jax.Array, asked: jax.Array) -> Answer:
    """What the service answers to one query [features] for one class."""
    said, explanation = jax.value_and_grad(
        lambda x: (lambda all_of: (all_of[asked], all_of))(jax.nn.log_softmax(logits(variables, x))),
        has_aux=True,
    )(x)
    return Answer(said[1], explanation)


def cells_of(shape: tuple[int, ...]) -> np.ndarray:
    """Which features LIME hides together: some 16 to 64 squares of an image, else runs of features.

    Args:
      shape: of one record.

    Returns:
      int32 [features], cells 0, 1, ...
    """
    if len(shape) == 3:
        side = max(2, -(-shape[0] // 7))
        rows, columns = np.arange(shape[0]) // side, np.arange(shape[1]) // side
        squares = rows[:, None] * (columns.max() + 1) + columns[None, :]
        return np.repeat(squares.ravel(), shape[2]).astype(np.int32)
    features = int(np.prod(shape))
    return (np.arange(features) * min(features, 64) // features).astype(np.int32)
