"""An ensemble of shadow models, trained together."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import at_least, fail, same_shape
from leakjax.models.model import Model, Variables
from leakjax.shadow.devices import PyTree, join, replicate, split, spread
from leakjax.shadow.train import TrainConfig, TrainState, start_model, train_epoch

OnEpoch = Callable[[int, np.ndarray, np.ndarray], object]  # epoch, loss [models], accuracy [models]


class History(NamedTuple):
    """Mean training loss and accuracy over the batches of each epoch, float32 [models, epochs]."""

    loss: np.ndarray
    accuracy: np.ndarray


class Ensemble(NamedTuple):
    """Models of one kind, each with its own models; arrays in host memory, for the next stage to place.

    Attributes:
        variables: of all models, leaves [models, ...].
        membership: whether a model was trained on a point, bool [models, points].
        ids: of the models, int32 [models]; keys are folded with them.
        history: how training went; no epochs where nothing was trained here.
    """

    variables: Variables
    membership: np.ndarray
    ids: np.ndarray
    history: History


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
    """Trains a model for each row of `membership`, all in one compiled program spread over the local devices.

    A model depends on the key, its own id and its own row alone, not on the others.

    Args:
        model: the network.
        x: features, float32 [points, ...].
        y: labels, int32 [points].
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
    membership, ids = _checked(x, y, membership, ids)
    variables, order_keys = _start(model, x, key, ids)
    start_optimizer, program = _training_programs(model, config)
    state = TrainState(variables, start_optimizer(variables["params"]), order_keys)
    x_shared, y_shared = replicate((x, y))
    membership_split = split(membership)
    losses, accuracies = [], []
    for epoch in range(config.epochs):
        number = np.full(jax.local_device_count(), epoch)
        state, *figures = program(x_shared, y_shared, number, membership_split, state)
        loss, accuracy = join(figures, len(ids))
        losses.append(loss)
        accuracies.append(accuracy)
        if on_epoch is not None:
            on_epoch(epoch, loss, accuracy)
    history = History(np.stack(losses, 1), np.stack(accuracies, 1))
    return Ensemble(join(state.variables, len(ids)), membership, ids, history)


def from_arrays(variables: Variables, membership: np.ndarray) -> Ensemble:
    """An ensemble that was trained elsewhere, with ids 0, 1, 2, ... and no history.

    Args:
        variables: of all models, leaves [models, ...].
        membership: whether a model was trained on a point, bool [models, points].

    Returns:
        The ensemble; `leakjax.audit` checks its shapes.
    """
    membership = np.asarray(membership, bool)
    none = np.zeros((len(membership), 0), np.float32)
    return Ensemble(variables, membership, np.arange(len(membership), dtype=np.int32), History(none, none))


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
    variables, _ = _start(model, x, key, ids)
    none = np.zeros((len(ids), 0), np.float32)
    return Ensemble(join(variables, len(ids)), membership, ids, History(none, none))


def diverged(ensemble: Ensemble) -> np.ndarray:
    """Which models have a loss or a weight that is not finite, bool [models]."""
    finite = np.isfinite(ensemble.history.loss).all(1)
    for leaf in jax.tree.leaves(ensemble.variables):
        finite &= np.isfinite(np.asarray(leaf)).reshape(len(finite), -1).all(1)
    return ~finite


def exclude_diverged(ensemble: Ensemble) -> tuple[Ensemble, np.ndarray]:
    """Leaves out the models that `diverged`.

    Args:
        ensemble: any ensemble.

    Returns:
        The ensemble of the other models, and the ids of those left out, int32 [diverged].

    Raises:
        UsageError: no model is left.
    """
    bad = diverged(ensemble)
    if bad.all():
        raise fail("diverged", len(bad), "every model diverged; lower the learning rate")
    if not bad.any():
        return ensemble, ensemble.ids[bad]
    return jax.tree.map(lambda leaf: leaf[~bad], ensemble), ensemble.ids[bad]


# Cached, so that the same model trained again, or as a control left untrained, is not compiled again.
@cache
def _start_program(model: Model) -> Callable[..., PyTree]:
    # One after the other: this compiles in half the time, and the work is nothing beside training.
    return spread(partial(start_model, model), shared=2, together=False)


@cache
def _training_programs(
    model: Model, config: TrainConfig
) -> tuple[Callable[..., PyTree], Callable[..., PyTree]]:
    epoch = spread(partial(train_epoch, model, config), shared=3, donate=(4,))
    return spread(config.make_optimizer().init, shared=0), epoch


def _start(model: Model, x: np.ndarray, key: jax.Array, ids: np.ndarray) -> tuple[PyTree, PyTree]:
    """Initial variables and order keys of all models, split over the devices."""
    return _start_program(model)(*replicate((x[0], key)), split(ids))


def _checked(
    x: np.ndarray, y: np.ndarray | None, membership: np.ndarray, ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`membership` as bool and `ids` as int32, their shapes checked against the points and one another."""
    membership, ids = np.asarray(membership, bool), np.asarray(ids, np.int32)
    at_least("models", len(ids), 1)
    same_shape("membership.shape", membership.shape, (len(ids), len(x)), "ids and points")
    if y is not None:
        same_shape("y.shape", np.shape(y), (len(x),), "points")
    for model_id, points in zip(ids, membership.sum(1), strict=True):
        if points == 0:
            raise fail("membership", 0, f"model {model_id} must have at least one point")
    return membership, ids
