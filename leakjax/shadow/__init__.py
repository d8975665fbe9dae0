"""Train one model, train an ensemble of shadow models in blocks, store it and load it."""

from leakjax.shadow.blocks import BlockEpoch, train_blocks
from leakjax.shadow.config import OPTIMIZERS, TrainConfig
from leakjax.shadow.ensemble import Ensemble, History, diverged, exclude_diverged, from_arrays, from_models
from leakjax.shadow.fit_many import fit_many
from leakjax.shadow.hosts import Share
from leakjax.shadow.metrics import metrics_writer
from leakjax.shadow.store import Contents, contents, gaps, load
from leakjax.shadow.students import students
from leakjax.shadow.together import init_ensemble, train_ensemble

__all__ = [
    "OPTIMIZERS",
    "BlockEpoch",
    "Contents",
    "Ensemble",
    "History",
    "Share",
    "TrainConfig",
    "contents",
    "diverged",
    "exclude_diverged",
    "fit_many",
    "from_arrays",
    "from_models",
    "gaps",
    "init_ensemble",
    "load",
    "metrics_writer",
    "students",
    "train_blocks",
    "train_ensemble",
]
