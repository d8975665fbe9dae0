"""Train one model of an ensemble: pure functions, which know nothing of the other models."""

from typing import Any, NamedTuple

import jax
import optax
from jax import numpy as jnp

from leakjax.models.model import Model, Variables
from leakjax.shadow import private
from leakjax.shadow.augment import augment
from leakjax.shadow.config import PRECISIONS, TrainConfig
from leakjax.shadow.gap import Kept, generalisation_gap, keep, nothing_kept

PyTree = Any

# Stages of training, folded into a model's key; membership is drawn with another key.
_INIT, _ORDER = 1, 2
_AUGMENT = 1  # folded into a step's key, which itself is dropout's


class TrainState(NamedTuple):
    """A model between two epochs.

    Attributes:
      variables: of the network.
      optimizer: the optimiser's state.
      key: of its batch orders, augmentation and dropout.
      kept: the model as it was at each gap of `TrainConfig.stop_at_gap`.
    """

    variables: Variables
    optimizer: optax.OptState
    key: jax.Array
    kept: tuple[Kept, ...] = ()


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


def start_training(config: TrainConfig, points: int, variables: Variables, key: jax.Array) -> TrainState:
    """The state before the first epoch.

    Args:
      config: how to train.
      points: of the pool.
      variables: as `start_model` gives them.
      key: likewise.

    Returns:
      The state, its optimiser new.
    """
    optimizer = config.make_optimizer(points).init(variables["params"])
    return TrainState(variables, optimizer, key, tuple(nothing_kept(variables) for _ in config.stop_at_gap))


def batch_rows(membership: jax.Array, steps: int, batch_size: int, key: jax.Array) -> jax.Array:
    """Rows of the batches of an epoch: a model's own points in random order.

    A model with more points than fill the steps leaves the last of the order out, one with fewer starts the
    order again.

    Args:
      membership: whether the model has the point, bool [points].
      steps: of an epoch.
      batch_size: points of a step.
      key: of this epoch.

    Returns:
      Row numbers, int32 [steps, batch_size].
    """
    points = membership.shape[0]
    # The model's own points have the largest draws, the others' are below 0. On the CPU top_k takes less
    # than half the time of argsort.
    draws = jax.random.uniform(key, (points,)) - ~membership
    _, order = jax.lax.top_k(draws, min(points, steps * batch_size))
    own = jnp.maximum(membership.sum(), 1)
    return order[jnp.arange(steps * batch_size) % own].reshape(steps, batch_size)


def cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: float) -> jax.Array:
    """The cross-entropy of each example of a batch.

    Args:
      logits: [batch, classes].
      labels: classes, int [batch], or probabilities of the classes (a teacher's answers), [batch, classes].
      smoothing: share of the label that is spread evenly over all classes.

    Returns:
      [batch].
    """
    if smoothing or labels.ndim == 2:
        soft = labels if labels.ndim == 2 else jax.nn.one_hot(labels, logits.shape[-1])
        return optax.softmax_cross_entropy(logits, optax.smooth_labels(soft, smoothing))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


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
      y: labels of the pool, int [points], or probabilities of the classes, float [points, classes].
      epoch: number of the epoch, from 0.
      membership: which points are the model's own, bool [points].
      state: the model before the epoch.

    Returns:
      The model after the epoch; its mean loss and accuracy over the batches, each before its step.
    """
    key = jax.random.fold_in(state.key, epoch)
    steps = config.steps(len(x))
    optimizer = config.make_optimizer(len(x))
    classes = y if y.ndim == 1 else y.argmax(-1)

    def loss_fn(
        params: PyTree, variables: Variables, rows: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, tuple[Variables, jax.Array]]:
        batch = augment(x[rows], jax.random.fold_in(key, _AUGMENT), flip=config.flip, shift=config.shift)
        logits, updated = _in_precision(model, config, {**variables, "params": params}, batch, key)
        loss = cross_entropy(logits, y[rows], config.label_smoothing).mean()
        return loss, (updated, (logits.argmax(-1) == classes[rows]).mean())

    def gradient_step(carry: PyTree, rows: jax.Array, key: jax.Array) -> tuple[PyTree, Variables, PyTree]:
        variables, _ = carry
        (loss, (updated, hits)), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
            variables["params"], variables, rows, key
        )
        return gradient, updated, (loss, hits)

    def private_step(carry: PyTree, key: jax.Array) -> tuple[PyTree, Variables, PyTree]:
        variables, _ = carry
        private.check(config, variables)
        sample_key, key = jax.random.split(key)
        rows, inside = private.sampled_rows(membership, steps, config.batch_size, sample_key)

        def loss_of_one(params: PyTree, row: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            loss, (_, hit) = loss_fn(params, variables, row, key)
            return loss, hit

        found = private.private_gradient(loss_of_one, config, variables["params"], rows, inside, key)
        gradient, *figures = found
        return gradient, variables, tuple(figures)

    def step(carry: PyTree, number_and_rows: tuple[jax.Array, jax.Array | None]) -> tuple[PyTree, PyTree]:
        number, rows = number_and_rows
        step_key = jax.random.fold_in(key, number)
        taken = private_step(carry, step_key) if rows is None else gradient_step(carry, rows, step_key)
        gradient, updated, figures = taken
        variables, optimizer_state = carry
        change, optimizer_state = optimizer.update(gradient, optimizer_state, variables["params"])
        params = optax.apply_updates(variables["params"], change)
        return ({**updated, "params": params}, optimizer_state), figures

    rows = None if config.noise_multiplier else batch_rows(membership, steps, config.batch_size, key)
    carry = (state.variables, state.optimizer)
    (variables, optimizer_state), (loss, accuracy) = jax.lax.scan(step, carry, (jnp.arange(steps), rows))
    kept = state.kept
    if kept:
        gap = generalisation_gap(model, x, classes, membership, variables)
        kept = keep(kept, config.stop_at_gap, Kept(variables, gap, epoch + 1))
    return TrainState(variables, optimizer_state, state.key, kept), loss.mean(), accuracy.mean()


def _in_precision(
    model: Model, config: TrainConfig, variables: Variables, x: jax.Array, key: jax.Array
) -> tuple[jax.Array, Variables]:
    """`model.train_fn` computed in the config's precision, what comes back in float32 again."""
    if config.precision == "float32":
        return model.train_fn(variables, x, key)
    dtype = PRECISIONS[config.precision]

    def lower(leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if leaf.dtype == jnp.float32 else leaf

    # Statistics stay float32: running means of bfloat16 stand still, their steps are below its resolution.
    low = {**variables, "params": jax.tree.map(lower, variables["params"])}
    logits, updated = model.train_fn(low, lower(x), key)
    updated = jax.tree.map(lambda new, old: new.astype(old.dtype), dict(updated), dict(variables))
    return logits.astype(jnp.float32), updated
