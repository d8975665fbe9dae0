"""An ensemble on disk: blocks of finished models, read whole or in part without knowing what they are."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax._validate import UsageError, fail
from leakjax.shadow import recipe as recipes
from leakjax.shadow import stored
from leakjax.shadow.config import TrainConfig
from leakjax.shadow.ensemble import Ensemble, History
from leakjax.shadow.gap import Kept

_BLOCKS, _BEGUN = "blocks", "begun"


class Contents(NamedTuple):
    """What a directory holds.

    Attributes:
      ids: of the finished models, rising, int32 [models].
      diverged: ids of those whose loss or weights are not finite; they are stored all the same.
      recipe: what the models depend on besides their ids.
    """

    ids: np.ndarray
    diverged: np.ndarray
    recipe: dict[str, Any]

    @property
    def training(self) -> TrainConfig:
        """How the models were trained."""
        given = {field.name: self.recipe[field.name] for field in dataclasses.fields(TrainConfig)}
        return TrainConfig(**{**given, "stop_at_gap": tuple(given["stop_at_gap"])})


def contents(directory: str | Path) -> Contents:
    """Looks what a directory holds, without reading an array.

    Args:
      directory: of the ensemble.

    Returns:
      Its contents.

    Raises:
      UsageError: no ensemble, or a damaged manifest.
    """
    directory = Path(directory)
    recipe = recipes.read(directory)
    ids: list[int] = []
    bad: list[int] = []
    for path in block_paths(directory):
        about = stored.about(path)
        ids += about["ids"]
        bad += about["diverged"]
    return Contents(np.sort(np.asarray(ids, np.int32)), np.sort(np.asarray(bad, np.int32)), recipe)


def load(
    directory: str | Path, models: int | Sequence[int] | np.ndarray | None = None, *, gap: float | None = None
) -> Ensemble:
    """Loads an ensemble, or some models of it; blocks that hold none of them are not read.

    Args:
      directory: of the ensemble.
      models: ids of the wanted models, in the order wanted; a number: those with the lowest ids; None: all.
      gap: the generalisation gap at which the models are wanted, one of `TrainConfig.stop_at_gap`; None: as
        they were at the end, which is at the largest of these.

    Returns:
      The ensemble, in host memory, those that diverged among it; `exclude_diverged` leaves them out.

    Raises:
      UsageError: no ensemble, a model that it lacks, a gap at which none were kept, or a damaged file.
    """
    directory = Path(directory)
    held = contents(directory)
    wanted = _wanted(directory, held.ids, models)
    name = _variables_at(directory, held.recipe, gap)
    place = {int(model_id): row for row, model_id in enumerate(wanted)}
    result: Any = None
    for path in block_paths(directory):
        rows = [(row, place[i]) for row, i in enumerate(stored.about(path)["ids"]) if i in place]
        if not rows:
            continue
        tree, points = stored.read(path), stored.about(path)["points"]
        tree["membership"] = np.unpackbits(tree["membership"], axis=1, count=points).astype(bool)
        part = {key: tree[key] for key in ("membership", "ids", "loss", "accuracy")}
        part["variables"] = tree[name]
        if result is None:  # filled block by block, so that a second copy of all never exists
            result = jax.tree.map(lambda leaf: np.empty((len(wanted), *leaf.shape[1:]), leaf.dtype), part)
        source, target = (np.asarray(column) for column in zip(*rows, strict=True))
        for into, leaf in zip(jax.tree.leaves(result), jax.tree.leaves(part), strict=True):
            into[target] = leaf[source]
    history = History(result["loss"], result["accuracy"])
    return Ensemble(result["variables"], result["membership"], result["ids"], history)


def blocks(
    directory: str | Path,
    models: int | Sequence[int] | np.ndarray | None = None,
    *,
    gap: float | None = None,
    without: Sequence[int] | np.ndarray = (),
) -> Iterator[Ensemble]:
    """Loads an ensemble a block at a time, for what needs no two of them together.

    Args:
      directory: of the ensemble.
      models: as of `load`; they come in the order of the blocks.
      gap: as of `load`.
      without: ids that are left out.

    Yields:
      The wanted models of each block.

    Raises:
      UsageError: as `load`.
    """
    directory = Path(directory)
    wanted = np.setdiff1d(_wanted(directory, contents(directory).ids, models), without)
    for path in block_paths(directory):
        own = np.asarray(stored.about(path)["ids"], np.int32)
        if np.isin(own, wanted).any():
            yield load(directory, own[np.isin(own, wanted)], gap=gap)


def gaps(directory: str | Path) -> dict[int, dict[float, tuple[float, int]]]:
    """The generalisation gaps at which models were kept.

    Args:
      directory: of the ensemble.

    Returns:
      For each id, for each gap of the config: the model's own gap when it was kept, and after how many
      epochs it was; 0 epochs where it never reached the gap and is kept as it was at the end.
    """
    directory = Path(directory)
    found: dict[int, dict[float, tuple[float, int]]] = {}
    wanted = contents(directory).recipe["stop_at_gap"]
    for path in block_paths(directory) if wanted else ():
        tree = stored.read(path)
        for model_id, own, epochs in zip(tree["ids"], tree["gap"], tree["gap_epoch"], strict=True):
            found[int(model_id)] = {
                gap: (float(value), int(epoch)) for gap, value, epoch in zip(wanted, own, epochs, strict=True)
            }
    return found


def write_block(
    directory: Path,
    ensemble: Ensemble,
    kept: tuple[Kept, ...],
    config: TrainConfig,
    digest: str,
    diverged: np.ndarray,
) -> None:
    """Stores finished models; arguments as `train_blocks` has them."""
    membership = np.packbits(ensemble.membership, axis=1)
    tree = {
        "variables": _plain(ensemble.variables),
        "membership": membership,
        "ids": ensemble.ids,
        "loss": ensemble.history.loss,
        "accuracy": ensemble.history.accuracy,
    }
    if kept:
        tree["gap"] = np.stack([part.gap for part in kept], 1)
        tree["gap_epoch"] = np.stack([part.epoch for part in kept], 1)
        for gap, part in zip(config.stop_at_gap[:-1], kept[:-1], strict=True):  # the last are the variables
            tree[_at(gap)] = _plain(part.variables)
    about = {
        "ids": ensemble.ids.tolist(),
        "diverged": diverged.tolist(),
        "points": ensemble.membership.shape[1],
        "membership": hashlib.sha256(membership.tobytes()).hexdigest(),
        "recipe": digest,
    }
    stored.write(directory / _BLOCKS / _name(ensemble.ids), tree, about)


def block_paths(directory: Path) -> list[Path]:
    """The finished blocks, in order."""
    return sorted(path for path in (directory / _BLOCKS).glob("models-*") if path.is_dir())


def unfinished(directory: Path, ids: np.ndarray) -> Path:
    """Where the epoch checkpoint of a block lies."""
    return directory / _BEGUN / _name(ids)


def begun(directory: Path, digest: str) -> Iterator[np.ndarray]:
    """The ids of every block of this recipe that has an epoch checkpoint."""
    for path in sorted((directory / _BEGUN).glob("models-*")):
        try:
            about = stored.about(path)
        except stored.Damaged:
            continue
        if about["recipe"] == digest:
            yield np.asarray(about["ids"], np.int32)


def digest_of(recipe: Mapping[str, Any]) -> str:
    """The sha256 of a recipe."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _name(ids: np.ndarray) -> str:
    digest = hashlib.sha256(np.asarray(ids, "<i4").tobytes()).hexdigest()[:8]
    return f"models-{ids.min():06d}-{ids.max():06d}-{digest}"


def _at(gap: float) -> str:
    return f"variables_at_{gap:g}"


def _wanted(directory: Path, held: np.ndarray, models: int | Sequence[int] | np.ndarray | None) -> np.ndarray:
    if models is None:
        if not len(held):
            raise UsageError(f"{directory}: no block is finished yet")
        return held
    if isinstance(models, int):
        if not 1 <= models <= len(held):
            raise fail(
                "models", models, f"{directory} holds {len(held)} models; train more, or ask for fewer"
            )
        return held[:models]
    wanted = np.asarray(models, np.int32)
    lacking = wanted[~np.isin(wanted, held)]
    if len(lacking) or not len(wanted):
        raise fail("models", lacking[:5].tolist(), f"{directory} holds no such ids")
    return wanted


def _variables_at(directory: Path, recipe: Mapping[str, Any], gap: float | None) -> str:
    kept = recipe["stop_at_gap"]
    if gap is None or (kept and gap == kept[-1]):
        return "variables"
    if gap not in kept:
        raise fail("gap", gap, f"{directory} holds models at the gaps {kept}")
    return _at(gap)


def _plain(tree: Any) -> Any:
    """Nested dicts and lists of NumPy arrays, as they are read back."""
    if isinstance(tree, Mapping):
        return {str(name): _plain(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_plain(value) for value in tree]
    return np.asarray(tree)
