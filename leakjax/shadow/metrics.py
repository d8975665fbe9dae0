"""Loss and accuracy of every model and epoch as lines of JSON."""

import json
import math
from pathlib import Path

import numpy as np

from leakjax._workdir import files
from leakjax.shadow.ensemble import OnEpoch


def metrics_writer(path: str | Path, ids: np.ndarray) -> OnEpoch:
    """Makes the `on_epoch` of `train_ensemble` that appends to a file of JSON lines.

    A line is `{"stage": "train", "epoch": 0, "model": 17, "loss": 0.5, "accuracy": 0.9}`; a figure that is
    not finite is null. The lines of an epoch are on disk before the next begins.

    Args:
      path: of the file, which need not exist.
      ids: of the models, in the order in which they are trained.

    Returns:
      The function, of epoch, loss [models] and accuracy [models]; it raises UsageError where the disk is full.
    """

    def on_epoch(epoch: int, loss: np.ndarray, accuracy: np.ndarray) -> None:
        lines = []
        for model_id, *figures in zip(ids, loss, accuracy, strict=True):
            mean_loss, hits = (float(value) if math.isfinite(value) else None for value in figures)
            line = {"stage": "train", "epoch": epoch, "model": int(model_id)}
            lines.append(json.dumps(line | {"loss": mean_loss, "accuracy": hits}))
        files.append(Path(path), lines)

    return on_epoch
