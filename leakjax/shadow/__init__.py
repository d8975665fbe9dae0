"""Train one model, train an ensemble of shadow models, save it and load it."""

from leakjax.shadow.config import OPTIMIZERS, TrainConfig
from leakjax.shadow.ensemble import Ensemble, History, diverged, exclude_diverged, from_arrays
from leakjax.shadow.metrics import metrics_writer
from leakjax.shadow.together import init_ensemble, train_ensemble

__all__ = [
    "OPTIMIZERS",
    "Ensemble",
    "History",
    "TrainConfig",
    "diverged",
    "exclude_diverged",
    "from_arrays",
    "init_ensemble",
    "metrics_writer",
    "train_ensemble",
]
