"""The models that an inversion study attacks, and what their attacker has for itself."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import data, models, shadow
from leakjax._validate import fail
from leakjax._workdir import Workdir
from leakjax.auditing.trained import trained
from leakjax.data import Points, take
from leakjax.explain import Explainer
from leakjax.inversion.guards import PLAIN, Guard, Training, fitting
from leakjax.inversion.plan import Plan
from leakjax.models import Model
from leakjax.oracle import ExplanationPart, Oracle, Release, Service, oracle
from leakjax.shadow import Ensemble, TrainConfig

WIDTH = 64  # units of a target model
NETWORK = f"mlp(widths=({WIDTH},))"
_OWN = 0.3  # of all points, the attacker's
_LEAST = 200
EMPTY: Mapping[str, Any] = MappingProxyType({})
# Stages of the study's key.
_SPLIT, _TRAIN, _ATTACK, _RETRAIN = range(4)


@functools.lru_cache(maxsize=16)
def _network(name: str, classes: int, options: tuple[tuple[str, Any], ...]) -> Model:
    return models.make(name, classes, **dict(options))


def network(name: str, classes: int, options: Mapping[str, Any] = EMPTY) -> Model:
    """A network by its name: the same object each time, so that what answers and trains it is compiled once."""
    return _network(name, classes, tuple(sorted(options.items())))


class World(NamedTuple):
    """Target models, and who knows what.

    Attributes:
      points: the pool; each model was trained on a random half.
      auxiliary: the attacker's own points of the same source, which no model was trained on.
      model: the network.
      ensemble: the target models.
      key: of the attacks.
      config: how models are trained, and
      options: of their networks, as far as a way of training asks for them.
    """

    points: Points
    auxiliary: Points
    model: Model
    ensemble: Ensemble
    key: jax.Array
    config: TrainConfig
    options: Mapping[str, Any] = EMPTY

    def variables(self, index: int) -> Any:
        """Of one target model."""
        return jax.tree.map(lambda leaf: leaf[index], self.ensemble.variables)

    def service(self, index: int, **policy: Any) -> Service:
        """One target model behind an interface; `policy` as the other fields of `Service`."""
        return Service(self.model.logits_fn, self.variables(index), **policy)

    def offered(
        self,
        index: int,
        explainer: Any = None,
        *,
        prediction: str = "vector",
        explained_class: str = "predicted",
        guard: Guard = PLAIN,
        written: bool = False,
    ) -> Oracle:
        """One target model's oracle, with one explanation or none."""
        shown = self.class_means(index, explainer) if guard.class_mean else explainer
        explained = "predicted" if guard.predicted else explained_class
        parts = () if explainer is None else (ExplanationPart(shown, explained, guard.defense),)
        key = jax.random.fold_in(self.key, index)
        service = self.service(index, **guard.policy)
        return oracle(service, Release(prediction, parts), key=key, written=written)

    @property
    def even(self) -> bool:
        """Whether segments of 2 features a side divide an input."""
        return all(side % 2 == 0 for side in self.points.x.shape[1:3])

    def guards(self, left_out: Mapping[str, str], also: Mapping[str, Guard] = EMPTY) -> dict[str, Guard]:
        """The guards that an attack meets here, see `guards.fitting`, and those of its own."""
        every = fitting(left_out) | dict(also)
        return {
            name: guard for name, guard in every.items() if self.even or "coarsen" not in str(guard.defense)
        }

    def class_means(self, index: int, explainer: Any) -> Explainer:
        """The explainer that shows the mean map over a class in place of a query's own."""
        answer = self.offered(index, explainer).ask(self.auxiliary.x)
        explained, maps = answer.explained_class[:, 0], answer.explanations[0]
        means = [
            maps[explained == label].mean(axis=0) if (explained == label).any() else 0 * maps[0]
            for label in range(self.points.classes)
        ]
        table = jnp.asarray(np.stack(means))

        def mean_of_class(
            variables: Any, x: jax.Array, target: Any, *, key: Any, segments: Any = None
        ) -> jax.Array:
            return table[target]

        return mean_of_class

    def trained(self, model: Model, points: Points, index: int, key: jax.Array) -> Any:
        """The variables of another network, trained on `points` of the rows and in the way of one target model."""
        ensemble = shadow.train_ensemble(
            model,
            points.x,
            points.y,
            self.config,
            key=key,
            membership=self.ensemble.membership[index][None],
            ids=np.array([index], np.int32),
        )
        return jax.tree.map(lambda leaf: leaf[0], ensemble.variables)

    def retrained(self, training: Training) -> "World":
        """The same models, each trained on the same points in another way."""
        model = network(NETWORK, self.points.classes, training.options)
        config = dataclasses.replace(self.config, **training.changes)
        ensemble = shadow.train_ensemble(
            model,
            self.points.x,
            self.points.y,
            config,
            key=jax.random.fold_in(self.key, _RETRAIN),
            membership=self.ensemble.membership,
            ids=self.ensemble.ids,
        )
        return self._replace(model=model, ensemble=ensemble, config=config, options=training.options)

    def members(self, index: int) -> np.ndarray:
        """Rows of the pool that a model was trained on."""
        return np.flatnonzero(self.ensemble.membership[index])

    def others(self, index: int) -> np.ndarray:
        """Rows of the pool that it was not."""
        return np.flatnonzero(~self.ensemble.membership[index])

    def draws(self, index: int, attack: str) -> np.random.Generator:
        """Random numbers of one attack on one model."""
        words = np.asarray(jax.random.key_data(jax.random.fold_in(self.key, index))).ravel().tolist()
        return np.random.default_rng([*words, *attack.encode()])

    @property
    def accuracy(self) -> float:
        """Of the models on the pool's other points, the mean."""
        logits = jax.jit(jax.vmap(jax.vmap(self.model.logits_fn, (None, 0)), (0, None)))(
            self.ensemble.variables, self.points.x
        )
        right = np.asarray(logits).argmax(axis=-1) == self.points.y
        return float(np.mean([np.mean(r[~m]) for r, m in zip(right, self.ensemble.membership, strict=True)]))


def make_world(
    plan: Plan,
    points: Points,
    workdir: Workdir | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
    on_epoch: Callable[..., object] = lambda *figures: None,
) -> World:
    """Splits the points and trains the target models, unless the workdir keeps them.

    Args:
      plan: of the study.
      points: all of the data set.
      workdir: keeps the models; None: they are trained and not kept.
      say: called with a line when training begins.
      on_epoch: called after each epoch.

    Raises:
      UsageError: too few points.
    """
    if len(points.x) < _LEAST:
        raise fail("points", len(points.x), f"an inversion study needs at least {_LEAST}")
    key = jax.random.key(plan.seed)
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, _SPLIT), len(points.x)))
    own = int(_OWN * len(points.x))
    auxiliary, pool = take(points, np.sort(order[:own])), take(points, np.sort(order[own:]))
    model = network(NETWORK, points.classes)
    config = TrainConfig(epochs=plan.epochs)
    training = jax.random.fold_in(key, _TRAIN)
    if workdir is None:
        membership_key, training_key = jax.random.split(training)
        ids = np.arange(plan.models, dtype=np.int32)
        ensemble = shadow.train_ensemble(
            model,
            pool.x,
            pool.y,
            config,
            key=training_key,
            membership=np.asarray(data.membership(membership_key, ids, len(pool.x))),
            ids=ids,
            on_epoch=on_epoch,
        )
    else:
        ensemble, _ = trained(
            model, pool, config, models=plan.models, key=training, workdir=workdir, say=say, on_epoch=on_epoch
        )
    return World(pool, auxiliary, model, ensemble, jax.random.fold_in(key, _ATTACK), config)
