"""One number of features: models are trained, and the norms of their gradients held against membership."""

from typing import NamedTuple

import jax
import numpy as np

from leakjax import data, models, shadow
from leakjax.evaluate import roc
from leakjax.evaluate.bootstrap import resample
from leakjax.papers.dimensions.document import DimensionRow
from leakjax.papers.over_models import correlations, over_models
from leakjax.papers.read import read
from leakjax.shadow.ensemble import OnEpoch


class Case(NamedTuple):
    """One setting: features of a point, classes of the data, size of the network."""

    features: int
    classes: int
    size: str

    @property
    def name(self) -> str:
        """Of its stage."""
        return f"{self.features} features, {self.classes} classes, {self.size}"


def measured(
    case: Case,
    config: shadow.TrainConfig,
    *,
    points: int,
    repeats: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> DimensionRow:
    """Trains `repeats` models, each on half of the points, and asks them about all.

    Args:
      case: which setting.
      config: how to train.
      points: of the pool.
      repeats: how many models.
      seed: of all randomness.
      on_epoch: as of `train_ensemble`.

    Raises:
      UsageError: data that cannot be made.
    """
    pool = data.load("synthetic", points=points, features=case.features, classes=case.classes, seed=seed)
    model = models.make(f"synthetic(size={case.size!r})", case.classes)
    membership_key, training_key = jax.random.split(jax.random.key(seed))
    ids = np.arange(repeats, dtype=np.int32)
    membership = np.asarray(data.membership(membership_key, ids, len(pool.x)))
    ensemble = shadow.train_ensemble(
        model,
        pool.x,
        pool.y,
        config,
        key=training_key,
        membership=membership,
        ids=ids,
        on_epoch=on_epoch,
    )
    seen = read(model.logits_fn, ensemble.variables, pool.x, pool.y)
    share = lambda part: over_models((seen.correct * part).sum(1) / part.sum(1))
    return DimensionRow(
        **case._asdict(),
        points=len(pool.x),
        models=repeats,
        train_accuracy=share(membership),
        test_accuracy=share(~membership),
        norm=over_models(correlations(seen.norm, membership)),
        norm_of_logit=over_models(correlations(seen.norm_of_logit, membership)),
        variance=over_models(correlations(seen.variance, membership)),
        attack=over_models(auc(-seen.norm, membership)),
        median_norm=float(np.median(seen.norm, axis=1).mean()),
    )


def auc(scores: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """The AUC of each model's scores, float64 [models]. Args: [models, points] each."""
    once = resample(scores.shape[1], len(scores), seed=0, resamples=0)
    return roc.rates_of(scores, membership, np.isfinite(scores), once, (0.01,)).auc[:, 0]
