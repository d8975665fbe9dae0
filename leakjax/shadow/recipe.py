"""What every model of a stored ensemble depends on besides its id: written once, compared ever after."""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from leakjax._validate import UsageError, fail
from leakjax.models.model import Model
from leakjax.shadow.config import TrainConfig

_FILE = "recipe.json"
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of a Python object, another one in each process


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
      Names to values; arrays and functions as their sha256.
    """
    recipe = {
        **named,
        **dataclasses.asdict(config),
        "features": digest(np.asarray(x)),
        "labels": digest(np.asarray(y)),
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "network": _network(model, x),
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
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    except OSError as error:
        raise UsageError(f"{directory}: cannot be written ({error.strerror})") from None


def read(directory: Path) -> dict[str, Any]:
    """The recipe of a stored ensemble.

    Raises:
      UsageError: there is none, or it is damaged.
    """
    path = directory / _FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(f"{directory}: no ensemble was trained here ({_FILE} is missing)") from None
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{path}: damaged; if you have the command, remove this file and run it again"
        ) from None


def digest(array: np.ndarray) -> str:
    """The sha256 of an array's type, shape and numbers."""
    sha = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _network(model: Model, x: np.ndarray) -> str:
    """The sha256 of what the network's start and its training step compute, constants included."""
    key, example = jax.random.key(0), jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
    variables = jax.eval_shape(model.init, key, example)
    batch = jax.ShapeDtypeStruct((2, *example.shape), example.dtype)
    sha = hashlib.sha256()
    for program in (
        jax.make_jaxpr(model.init)(key, example),
        jax.make_jaxpr(model.train_fn)(variables, batch, key),
    ):
        sha.update(_ADDRESS.sub("", str(program)).encode())
        for constant in program.consts:
            sha.update(digest(np.asarray(constant)).encode())
    return sha.hexdigest()
