"""What the rest of leakjax knows of a network: three pure functions."""

import inspect
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from leakjax.models.functions import Init, LogitsFn, TrainFn, Variables

# Names under which flax modules take their mode, and the value that means training.
_TRAINING_VALUE = {"train": True, "training": True, "deterministic": False, "use_running_average": False}


class Model(NamedTuple):
    """A network as three pure functions.

    Attributes:
      init: `init(key, x) -> variables`, `x` ONE example [...].
      train_fn: `train_fn(variables, x, key) -> (logits, variables)`, in training mode on a batch `x`
        [batch, ...], logits [batch, classes]; the returned variables carry the updated statistics.
      logits_fn: `logits_fn(variables, x) -> logits` [classes] of ONE example, in evaluation mode.
    """

    init: Init
    train_fn: TrainFn
    logits_fn: LogitsFn


def from_flax(module: nn.Module) -> Model:
    """Makes a `Model` of a flax.linen module, with or without batch statistics and dropout.

    Args:
      module: maps a batch [batch, ...] to logits [batch, classes]. Where its `__call__` takes the mode, it
        takes it under one of the names `train`, `training`, `deterministic` or `use_running_average`.

    Returns:
      The model; dropout draws from the key that `train_fn` gets.
    """
    arguments = inspect.signature(type(module).__call__).parameters
    training: dict[str, Any] = {name: value for name, value in _TRAINING_VALUE.items() if name in arguments}
    evaluation: dict[str, Any] = {name: not value for name, value in training.items()}

    def init(key: jax.Array, x: jax.Array) -> Variables:
        return module.init(key, x[None], **evaluation)

    def train_fn(variables: Variables, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Variables]:
        statistics = [name for name in variables if name != "params"]
        logits, updated = module.apply(variables, x, **training, rngs={"dropout": key}, mutable=statistics)
        return logits, {**variables, **updated}

    def logits_fn(variables: Variables, x: jax.Array) -> jax.Array:
        return module.apply(variables, x[None], **evaluation)[0]

    return Model(init, train_fn, logits_fn)
