"""The models that an audit attacks: trained, or from the checkpoint of a run before."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from leakjax import data, shadow
from leakjax.models import Model
from leakjax.shadow import checkpoint
from leakjax.shadow.ensemble import OnEpoch


def trained(
    model: Model,
    points: data.Points,
    config: shadow.TrainConfig,
    *,
    models: int,
    key: jax.Array,
    workdir: Path,
    settings: Mapping[str, Any],
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> tuple[shadow.Ensemble, Any]:
    """Trains models, each on a random half of the points, unless their checkpoint is there.

    Nine arguments: what is trained, on what, how, and where it is kept and said.

    Args:
      model: the network that all share.
      points: the training pool.
      config: how to train.
      models: how many.
      key: of who is trained on what, and of the training.
      workdir: takes checkpoints/ensemble and metrics.jsonl.
      settings: what must be the same for the checkpoint to be taken.
      say: called with a line when training begins.
      on_epoch: called after each epoch.

    Returns:
      The ensemble, and its variables before training.
    """
    membership_key, training_key = jax.random.split(key)
    ids = np.arange(models, dtype=np.int32)
    membership = np.asarray(data.membership(membership_key, ids, len(points.x)))
    path = workdir / "checkpoints" / "ensemble"
    digest = hashlib.sha256(points.x.tobytes() + points.y.tobytes()).hexdigest()
    fingerprint = {**settings, "data": digest}
    start = shadow.init_ensemble(model, points.x, key=training_key, membership=membership, ids=ids)
    if checkpoint.exists(path):
        say(f"{models} trained models are at {path}")
        like = checkpoint.abstract_ensemble(model, points.x, models, config.epochs)
        return checkpoint.load(path, like, fingerprint), start.variables
    say(f"training {models} models")
    metrics = workdir / "metrics.jsonl"
    metrics.unlink(missing_ok=True)
    write = shadow.metrics_writer(metrics, ids)

    def both(epoch: int, loss: np.ndarray, accuracy: np.ndarray) -> None:
        write(epoch, loss, accuracy)
        on_epoch(epoch, loss, accuracy)

    ensemble = shadow.train_ensemble(
        model,
        points.x,
        points.y,
        config,
        key=training_key,
        membership=membership,
        ids=ids,
        on_epoch=both,
    )
    checkpoint.save(path, ensemble, fingerprint)
    return ensemble, start.variables
