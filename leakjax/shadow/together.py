"""Train the models of an ensemble together, an epoch of all of them at a time."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import at_least, fail, same_shape
from leakjax.models.model import Model
from leakjax.shadow.config import TrainConfig
from leakjax.shadow.devices import PyTree, join, placed_like, replicate, split, spread
from leakjax.shadow.ensemble import Ensemble, History, OnEpoch, no_history
from leakjax.shadow.gap import Kept, all_reached
from leakjax.shadow.memory import models_a_device
from leakjax.shadow.train import TrainState, start_model, start_training, train_epoch


class Trained(NamedTuple):
    """All models after some epochs, in host memory.

    Attributes:
      epochs: how many.
      state: without the keys, which follow from the ids; leaves [models, ...].
      history: until now, [models, epochs].
    """

    epochs: int
    state: TrainState
    history: History


class Training:
    """An ensemble in training: its state on the devices, a group of models after the other.

    A group is as many models as run together on all devices. Every group, the last one filled up, runs in the
    same compiled program, so that a model comes out the same to the bit however many others there are: what
    XLA makes of one model among three is not always what it makes of one among four.
    """

    def __init__(
        self,
        model: Model,
        x: np.ndarray,
        y: np.ndarray,
        config: TrainConfig,
        *,
        key: jax.Array,
        membership: np.ndarray,
        ids: np.ndarray,
    ):
        """Puts everything on the devices; the arguments are those of `train_ensemble`."""
        self._membership, self._ids = _checked(x, y, membership, ids)
        self._config = config
        self._start, self._epoch = _programs(model, config, len(x))
        self._shared = replicate((x, y))
        lanes = jax.local_device_count() * models_a_device(model, x, config)
        models = len(self._ids)
        self._groups = [np.arange(start, min(start + lanes, models)) for start in range(0, models, lanes)]
        self._lanes = lanes
        started = _start_program(model), replicate((x[0], key))
        self._states: list[PyTree] = []
        self._members: list[PyTree] = []
        for rows in self._groups:
            filled = np.resize(rows, self._lanes)
            variables, order_keys = started[0](*started[1], split(self._ids[filled]))
            self._states.append(self._start(variables, order_keys))
            self._members.append(split(self._membership[filled]))
        none = np.zeros((models, 0), np.float32)
        self.epochs = 0
        self._loss, self._accuracy = none, none
        self._stopped = np.zeros(models, bool)

    @property
    def finished(self) -> bool:
        """Whether every model has had all its epochs, or stopped before."""
        return self.epochs == self._config.epochs or bool(self._stopped.all())

    def advance(self) -> tuple[np.ndarray, np.ndarray]:
        """Trains all models for an epoch.

        Returns:
          Their loss and accuracy, [models].
        """
        number = np.full(jax.local_device_count(), self.epochs)
        figures = []
        for group, rows in enumerate(self._groups):
            # The old state's memory is taken: it must not be looked at again.
            state, *of_group = self._epoch(*self._shared, number, self._members[group], self._states[group])
            self._states[group] = state
            figures.append((len(rows), of_group))
        loss, accuracy = (
            np.concatenate(part) for part in zip(*(join(each, rows) for rows, each in figures), strict=True)
        )
        if self.epochs:  # the figures of a model that had stopped are not its own any more
            loss = np.where(self._stopped, self._loss[:, -1], loss)
            accuracy = np.where(self._stopped, self._accuracy[:, -1], accuracy)
        self._loss = np.concatenate([self._loss, loss[:, None]], 1)
        self._accuracy = np.concatenate([self._accuracy, accuracy[:, None]], 1)
        self.epochs += 1
        if self._config.stop_at_gap:
            self._stopped = np.concatenate(
                [np.asarray(join(all_reached(state.kept), len(rows))) for state, rows in self._pairs()]
            )
        return loss, accuracy

    def fetch(self) -> Trained:
        """Everything that is needed to go on later, in host memory."""
        return Trained(self.epochs, self._joined(_without_key), self._history())

    def restore(self, saved: Trained) -> None:
        """Goes on from what `fetch` returned for the same models."""
        self.epochs = saved.epochs
        self._loss, self._accuracy = saved.history
        for group, rows in enumerate(self._groups):
            filled = np.resize(rows, self._lanes)
            state = split(jax.tree.map(lambda leaf, filled=filled: np.asarray(leaf)[filled], saved.state))
            # Where the state of an epoch lies: from elsewhere, the epoch would be compiled once more, and what XLA
            # makes of it a second time is not always the same to the bit.
            now = self._states[group]
            self._states[group] = jax.tree.map(placed_like, state._replace(key=now.key), now)
        if self._config.stop_at_gap:
            self._stopped = np.asarray(all_reached(saved.state.kept))

    def result(self) -> Ensemble:
        """The trained ensemble; at the largest gap where the config names some."""
        kept = self.kept()
        variables = kept[-1].variables if kept else self._joined(lambda state: state.variables)
        loss, accuracy = self._history()
        last = [(0, 0), (0, self._config.epochs - self.epochs)]
        history = History(np.pad(loss, last, "edge"), np.pad(accuracy, last, "edge"))
        return Ensemble(variables, self._membership, self._ids, history)

    def kept(self) -> tuple[Kept, ...]:
        """The models as they were at each gap of the config, in host memory."""
        return self._joined(lambda state: state.kept)

    def _history(self) -> History:
        return History(self._loss, self._accuracy)

    def _pairs(self) -> Iterator[tuple[TrainState, np.ndarray]]:
        return zip(self._states, self._groups, strict=True)

    def _joined(self, part: Callable[[TrainState], PyTree]) -> PyTree:
        parts = [join(part(state), len(rows)) for state, rows in self._pairs()]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def train_ensemble(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    config: TrainConfig,
    *,
    key: jax.Array,
    membership: np.ndarray,
    ids: np.ndarray,
    on_epoch: OnEpoch | None = None,
) -> Ensemble:
    """Trains a model for each row of `membership`, spread over the local devices.

    A model depends on the key, its own id and its own row alone, not on the others.

    Args:
      model: the network.
      x: features, float32 [points, ...].
      y: labels, int32 [points], or probabilities of the classes, float32 [points, classes].
      config: how to train.
      key: the ensemble's key.
      membership: which points each model is trained on, bool [models, points].
      ids: of the models, int32 [models].
      on_epoch: called after each epoch with its number from 0, and loss and accuracy [models].

    Returns:
      The trained ensemble; see `diverged` for models whose training failed.

    Raises:
      UsageError: no models, shapes that disagree, or a model without a point.
    """
    training = Training(model, x, y, config, key=key, membership=membership, ids=ids)
    while not training.finished:
        loss, accuracy = training.advance()
        if on_epoch is not None:
            on_epoch(training.epochs - 1, loss, accuracy)
    return training.result()


def init_ensemble(
    model: Model, x: np.ndarray, *, key: jax.Array, membership: np.ndarray, ids: np.ndarray
) -> Ensemble:
    """The ensemble that `train_ensemble` starts from, untrained: a control that cannot leak.

    Args:
      model: the network.
      x: features, float32 [points, ...].
      key: the ensemble's key.
      membership: the points that the models would have been trained on, bool [models, points].
      ids: of the models, int32 [models].

    Returns:
      The untrained ensemble, its history without epochs.

    Raises:
      UsageError: no models, shapes that disagree, or a model without a point.
    """
    membership, ids = _checked(x, None, membership, ids)
    variables, _ = _start_program(model)(*replicate((x[0], key)), split(ids))
    return Ensemble(join(variables, len(ids)), membership, ids, no_history(len(ids)))


def _without_key(state: TrainState) -> PyTree:
    return state._replace(key=())  # type: ignore[arg-type]  # nothing to fetch


# Cached, so that the same model trained again, or as a control left untrained, is not compiled again.
@cache
def _start_program(model: Model) -> Callable[..., PyTree]:
    # One after the other: this compiles in half the time, and the work is nothing beside training.
    return spread(partial(start_model, model), shared=2, together=False)


@cache
def _programs(
    model: Model, config: TrainConfig, points: int
) -> tuple[Callable[..., PyTree], Callable[..., PyTree]]:
    epoch = spread(partial(train_epoch, model, config), shared=3, donate=(4,))
    return spread(partial(start_training, config, points), shared=0), epoch


def _checked(
    x: np.ndarray, y: np.ndarray | None, membership: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`membership` as bool and `ids` as int32, their shapes checked against the points and one another."""
    membership, ids = np.asarray(membership, bool), np.asarray(ids, np.int32)
    at_least("models", len(ids), 1)
    same_shape("membership.shape", membership.shape, (len(ids), len(x)), "ids and points")
    if y is not None:
        same_shape("y.shape", np.shape(y)[:1], (len(x),), "points")
    for model_id, points in zip(ids, membership.sum(1), strict=True):
        if points == 0:
            raise fail("membership", 0, f"model {model_id} must have at least one point")
    return membership, ids
