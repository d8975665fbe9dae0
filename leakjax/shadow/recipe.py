"""What every model of a stored ensemble depends on besides its id: written once, compared ever after."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import UsageError, fail
from leakjax._workdir import files, reading
from leakjax._workdir.fingerprint import fingerprint
from leakjax._workdir.functions import traced
from leakjax.models.model import Model
from leakjax.shadow.config import TrainConfig

_FILE = "recipe.json"


def describe(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    config: TrainConfig,
    key: jax.Array,
    named: Mapping[str, Any],
) -> dict[str, Any]:
    """The recipe of an ensemble, as JSON writes it.

    Args:
      model: the network, which counts by what it computes.
      x: features of the pool [points, ...].
      y: its labels.
      config: how to train.
      key: the ensemble's key.
      named: what else decides, or should be remembered: the data set's name, the design.

    Returns:
      Names to values; arrays and functions as their fingerprints.
    """
    recipe = {
        **named,
        **dataclasses.asdict(config),
        "features": fingerprint(array=np.asarray(x)),
        "labels": fingerprint(array=np.asarray(y)),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "network": of_network(model, x[0]),
    }
    return json.loads(json.dumps(recipe))


def agree(directory: Path, recipe: Mapping[str, Any]) -> None:
    """Makes the directory this recipe's own.

    Raises:
      UsageError: it is another's, or cannot be written.
    """
    path = directory / _FILE
    if path.exists():
        old = read(directory)
        for name in sorted({*old, *recipe}):
            if old.get(name) != recipe.get(name):
                rule = f"{directory} holds models with {name}={old.get(name)!r}; use another directory"
                raise fail(name, recipe.get(name), rule)
        return
    # Processes that share the directory write the same, each a file of its own until it is whole.
    with files.replacing(path, writer=os.getpid()) as file:
        file.write((json.dumps(recipe, indent=1) + "\n").encode())


def read(directory: Path) -> dict[str, Any]:
    """The recipe of a stored ensemble.

    Raises:
      UsageError: there is none, or it is damaged.
    """
    path = directory / _FILE
    try:
        return dict(reading.json_of(path))
    except FileNotFoundError:
        raise UsageError(f"{directory}: no ensemble was trained here ({_FILE} is missing)") from None
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{path}: damaged; if you have the command, remove this file and run it again"
        ) from None


def of_network(model: Model, x: jax.Array | np.ndarray) -> list[str]:
    """What decides how a network starts and learns: its first variables, and its gradient on a batch.

    Args:
      model: the network.
      x: ONE example [...], for its shape.
    """
    key = jax.random.key(0)
    variables = jax.eval_shape(model.init, key, x)

    def loss(params: Any, others: Any, batch: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
        logits, updated = model.train_fn({**others, "params": params}, batch, key)
        return jnp.sum(logits), (logits, updated)

    batch = jax.ShapeDtypeStruct((2, *x.shape), x.dtype)
    return [
        traced(model.init, key, x),
        traced(jax.grad(loss, has_aux=True), variables["params"], variables, batch, key),
    ]
