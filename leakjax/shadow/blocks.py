"""Train an ensemble of any size block by block, each finished block on disk before the next begins."""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax._validate import UsageError, one_of
from leakjax._workdir import claim
from leakjax.models.model import Model
from leakjax.shadow import recipe as recipes
from leakjax.shadow import store, stored
from leakjax.shadow.config import TrainConfig
from leakjax.shadow.ensemble import History, diverged
from leakjax.shadow.hosts import ALL, Share
from leakjax.shadow.memory import choose_block, model_bytes
from leakjax.shadow.together import Trained, Training

Members = Callable[[np.ndarray], Any]  # ids [models] -> membership, bool [models, points]


class BlockEpoch(NamedTuple):
    """An epoch of a block, as `on_epoch` is told of it.

    Attributes:
      block: its number among those to train, from 0.
      blocks: how many there are to train.
      epoch: number of the epoch, from 0.
      ids: of the block's models.
      loss: mean over the epoch's batches, [models].
      accuracy: likewise.
    """

    block: int
    blocks: int
    epoch: int
    ids: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray


def train_blocks(
    directory: str | Path,
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    config: TrainConfig,
    *,
    key: jax.Array,
    members: Members,
    ids: Sequence[int] | np.ndarray,
    named: Mapping[str, Any] | None = None,
    block: int | None = None,
    save_every: float = 60.0,
    damaged: str = "refuse",
    share: Share = ALL,
    take_over: bool = False,
    on_epoch: Callable[[BlockEpoch], object] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> store.Contents:
    """Trains the models that `directory` lacks, and can be stopped and called again at any moment.

    A model depends on the key, its id and its membership alone, so that blocks of any size hold the same
    models. Its arguments are those of `train_ensemble`, and where and how often blocks are kept.

    Args:
      directory: where the ensemble is stored; `leakjax.shadow.load` reads it, while more is trained too.
      model: the network.
      x: features, float32 [points, ...].
      y: labels, int32 [points], or probabilities of the classes, float32 [points, classes].
      config: how to train.
      key: the ensemble's key.
      members: gives the membership of models by their ids; see `leakjax.data.membership`.
      ids: of the wanted models, each once.
      named: what should be remembered of the data and the design, as JSON writes it.
      block: models between two writes; None: as many as fit into memory, 1,024 at most. Where several
        processes share the work it must be given, so that they cut it in the same places.
      save_every: seconds between two checkpoints inside a block.
      damaged: what becomes of a stored block with a changed or missing file: "refuse" to go on, "retrain".
      share: which blocks are this process's. Another's are left to it; a killed one's wait for it to be
        started again.
      take_over: use the directory although a process of another host held it until some minutes ago.
      on_epoch: called after every epoch of a block.
      say: told, in a line each, what was found and left out.

    Returns:
      What is stored now.

    Raises:
      UsageError: the sizes do not fit; another process trains here; the directory holds another ensemble,
        is damaged or cannot be written; arguments as in `train_ensemble`.
    """
    directory = Path(directory)
    one_of("damaged", damaged, ("refuse", "retrain"))
    ids = np.asarray(ids, np.int32)
    if len(set(ids.tolist())) < len(ids):
        raise UsageError("ids: must differ")
    if share.processes > 1 and block is None:
        raise UsageError("block=None: must be given where several processes share the work")
    block = choose_block(model, x, config, block=block)
    recipe = recipes.describe(model, x, y, config, key, named or {})
    with claim(
        directory, process=share.process, processes=share.processes, take_over=take_over, say=say
    ) as held:
        recipes.agree(directory, recipe)
        digest = store.digest_of(recipe)
        _check_stored(directory, damaged, members, say)
        done = store.contents(directory).ids
        own = np.concatenate([ids[:0], *_cut(ids, block)[share.process :: share.processes]])
        todo = own[~np.isin(own, done)]
        _check_disk(directory, model, x, config, len(todo), block)
        parts = _parts(directory, digest, todo, block)
        for number, part in enumerate(parts):
            rows = np.asarray(members(part), bool)
            training = Training(model, x, y, config, key=key, membership=rows, ids=part)
            unfinished = store.unfinished(directory, part)
            _resume(training, unfinished, digest, say)
            saved = time.monotonic()
            while not training.finished:
                loss, accuracy = training.advance()
                if on_epoch is not None:
                    on_epoch(BlockEpoch(number, len(parts), training.epochs - 1, part, loss, accuracy))
                if time.monotonic() - saved >= save_every and not training.finished:
                    held.check()
                    _save_epoch(unfinished, training.fetch(), part, digest)
                    saved = time.monotonic()
            ensemble = training.result()
            bad = ensemble.ids[diverged(ensemble)]
            if len(bad):
                say(f"diverged: models {', '.join(map(str, bad))}; each can be trained alone by its id")
            held.check()
            store.write_block(directory, ensemble, training.kept(), config, digest, bad)
            shutil.rmtree(unfinished, ignore_errors=True)
        return store.contents(directory)


def _cut(ids: np.ndarray, block: int) -> list[np.ndarray]:
    return [ids[start : start + block] for start in range(0, len(ids), block)]


def _parts(directory: Path, digest: str, todo: np.ndarray, block: int) -> list[np.ndarray]:
    """The blocks to train: those begun before, whatever the block size was, then the rest."""
    begun = []
    for part in store.begun(directory, digest):
        if np.isin(part, todo).all():
            begun.append(part)
            todo = todo[~np.isin(todo, part)]
    return begun + _cut(todo, block)


def _check_stored(directory: Path, damaged: str, members: Members, say: Callable[[str], None]) -> None:
    for path in store.block_paths(directory):
        try:
            stored.verify(path)
            about = stored.about(path)
        except stored.Damaged as error:
            if damaged == "refuse":
                raise UsageError(
                    f"{error}; --damaged=retrain trains the models of this block again"
                ) from None
            say(f"{error}; the models of this block are trained again")
            shutil.rmtree(path)
            continue
        rows = np.packbits(np.asarray(members(np.asarray(about["ids"], np.int32)), bool), axis=1)
        if hashlib.sha256(rows.tobytes()).hexdigest() != about["membership"]:
            raise UsageError(f"{path}: these models were trained on other points; use another directory")


def _check_disk(
    directory: Path, model: Model, x: np.ndarray, config: TrainConfig, models: int, block: int
) -> None:
    """Refuses before training what the disk cannot hold: the models, and two checkpoints inside a block."""
    held, _ = model_bytes(model, x, config)
    need, free = held * (models + 2 * min(block, models)), shutil.disk_usage(directory).free
    if need > free:
        raise UsageError(
            f"{directory}: {models} models take up to {need / 2**30:,.1f} GiB of disk, {free / 2**30:,.1f} are free"
        )


def _save_epoch(path: Path, trained: Trained, ids: np.ndarray, digest: str) -> None:
    leaves = jax.tree.leaves(trained.state)
    tree = {"state": leaves, "loss": trained.history.loss, "accuracy": trained.history.accuracy}
    about = {"ids": ids.tolist(), "recipe": digest, "epochs": trained.epochs}
    stored.write(path, tree, about)


def _resume(training: Training, path: Path, digest: str, say: Callable[[str], None]) -> None:
    """Restores a block's last epoch checkpoint; a damaged one costs the epochs since the block began."""
    if not path.exists():
        return
    try:
        about, tree = stored.about(path), stored.read(path)
        if about["recipe"] != digest:
            return
        structure = jax.tree.structure(training.fetch().state)
        state = jax.tree.unflatten(structure, tree["state"])
        training.restore(Trained(about["epochs"], state, History(tree["loss"], tree["accuracy"])))
    except stored.Damaged as error:
        say(f"{error}; this block begins anew")
        shutil.rmtree(path, ignore_errors=True)
