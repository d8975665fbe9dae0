"""Train one model of an ensemble: pure functions, which know nothing of the other models."""

import dataclasses
from typing import Any, NamedTuple

import jax
import optax
from jax import numpy as jnp

from leakjax._validate import at_least, fail, one_of, positive
from leakjax.models.model import Model, Variables

PyTree = Any

# Stages of training, folded into a model's key; membership is drawn with another key.
_INIT, _ORDER = 1, 2

OPTIMIZERS = {"adam": optax.adam, "sgd": optax.sgd, "adagrad": optax.adagrad, "rmsprop": optax.rmsprop}
_WITH_MOMENTUM = ("sgd", "rmsprop")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How every model is trained.

    Attributes:
        epochs: passes over a model's points.
        batch_size: points of a step.
        learning_rate: of the optimiser.
        optimizer: a name in `OPTIMIZERS`.
        momentum: of sgd and rmsprop, in [0, 1).
        weight_decay: coefficient of the L2 penalty, whose gradient weight_decay * weight is added.
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 3e-3
    optimizer: str = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        positive("learning_rate", self.learning_rate)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        at_least("weight_decay", self.weight_decay, 0)
        if not 0 <= self.momentum < 1:
            raise fail("momentum", self.momentum, "must be in [0, 1)")
        if self.momentum and self.optimizer not in _WITH_MOMENTUM:
            raise fail("momentum", self.momentum, f"only {' and '.join(_WITH_MOMENTUM)} have momentum")

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimiser that the fields describe."""
        momentum = {"momentum": self.momentum} if self.momentum else {}
        optimizer = OPTIMIZERS[self.optimizer](self.learning_rate, **momentum)
        return optax.chain(optax.add_decayed_weights(self.weight_decay), optimizer)


class TrainState(NamedTuple):
    """A model between two epochs: its variables, the optimiser's state, the key of its batch orders."""

    variables: Variables
    optimizer: optax.OptState
    key: jax.Array


def start_model(
    model: Model, x: jax.Array, key: jax.Array, model_id: jax.Array
) -> tuple[Variables, jax.Array]:
    """What a model starts from, the same alone or among others.

    Args:
        model: the network.
        x: ONE example [...], for its shape.
        key: the ensemble's key.
        model_id: the model's id.

    Returns:
        Its initial variables, and the key of its batch orders.
    """
    key = jax.random.fold_in(key, model_id)
    return model.init(jax.random.fold_in(key, _INIT), x), jax.random.fold_in(key, _ORDER)


def batch_rows(membership: jax.Array, batch_size: int, key: jax.Array) -> jax.Array:
    """Rows of the batches of an epoch: a model's own points in random order.

    The number of steps follows from the number of points in the pool alone, so that models stay in step; one
    with more points than fill them leaves the last of the order out, one with fewer starts the order again.

    Args:
        membership: whether the model has the point, bool [points].
        batch_size: points of a step.
        key: of this epoch.

    Returns:
        Row numbers, int32 [steps, batch_size].
    """
    points = membership.shape[0]
    steps = max(1, round(points / 2 / batch_size))
    # The model's own points have the largest draws, the others' are below 0. On the CPU top_k takes less
    # than half the time of argsort.
    draws = jax.random.uniform(key, (points,)) - ~membership
    _, order = jax.lax.top_k(draws, min(points, steps * batch_size))
    own = jnp.maximum(membership.sum(), 1)
    return order[jnp.arange(steps * batch_size) % own].reshape(steps, batch_size)


def train_epoch(
    model: Model,
    config: TrainConfig,
    x: jax.Array,
    y: jax.Array,
    epoch: jax.Array,
    membership: jax.Array,
    state: TrainState,
) -> tuple[TrainState, jax.Array, jax.Array]:
    """Trains a model for an epoch.

    Args:
        model: the network.
        config: how to train.
        x: features of the pool [points, ...]; batches are gathered inside a step.
        y: labels of the pool, int [points].
        epoch: number of the epoch, from 0.
        membership: which points are the model's own, bool [points].
        state: the model before the epoch.

    Returns:
        The model after the epoch; its mean loss and accuracy over the batches, each before its step.
    """
    key = jax.random.fold_in(state.key, epoch)
    rows = batch_rows(membership, config.batch_size, key)
    optimizer = config.make_optimizer()

    def loss_fn(
        params: PyTree, variables: Variables, batch: jax.Array, labels: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, tuple[Variables, jax.Array]]:
        logits, variables = model.train_fn({**variables, "params": params}, batch, key)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return loss, (variables, (logits.argmax(-1) == labels).mean())

    def step(carry: PyTree, step_and_rows: tuple[jax.Array, jax.Array]) -> tuple[PyTree, PyTree]:
        variables, optimizer_state = carry
        number, batch_rows = step_and_rows
        (loss, (updated, accuracy)), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
            variables["params"], variables, x[batch_rows], y[batch_rows], jax.random.fold_in(key, number)
        )
        change, optimizer_state = optimizer.update(gradient, optimizer_state, variables["params"])
        params = optax.apply_updates(variables["params"], change)
        return ({**updated, "params": params}, optimizer_state), (loss, accuracy)

    carry = (state.variables, state.optimizer)
    (variables, optimizer_state), (loss, accuracy) = jax.lax.scan(step, carry, (jnp.arange(len(rows)), rows))
    return TrainState(variables, optimizer_state, state.key), loss.mean(), accuracy.mean()
