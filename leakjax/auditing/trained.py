"""The models that an audit attacks: trained, or kept by a run before."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from leakjax import data, shadow
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.models import Model
from leakjax.shadow import Ensemble, History
from leakjax.shadow.ensemble import OnEpoch
from leakjax.shadow.recipe import of_network


def trained(
    model: Model,
    points: data.Points,
    config: shadow.TrainConfig,
    *,
    models: int,
    key: jax.Array,
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> tuple[Ensemble, Any]:
    """Trains models, each on a random half of the points, unless the workdir keeps them.

    Args:
      model: the network that all share.
      points: the training pool.
      config: how to train.
      models: how many.
      key: of who is trained on what, and of the training.
      workdir: keeps the models, and logs every epoch.
      say: called with a line when training begins.
      on_epoch: called after each epoch.

    Returns:
      The ensemble, and its variables before training.
    """
    membership_key, training_key = jax.random.split(key)
    ids = np.arange(models, dtype=np.int32)
    membership = np.asarray(data.membership(membership_key, ids, len(points.x)))
    start = shadow.init_ensemble(model, points.x, key=training_key, membership=membership, ids=ids)
    of_model, structure = of_network(model, points.x[0]), jax.tree.structure(start.variables)

    def train() -> dict[str, Any]:
        say(f"training {models} models")
        write = shadow.metrics_writer(workdir.path / "metrics.jsonl", ids)

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
        return {"variables": jax.tree.leaves(ensemble.variables), "history": tuple(ensemble.history)}

    mark = fingerprint(
        environment=environment(),
        model=of_model,
        config=config,
        points=(points.x, points.y),
        membership=membership,
        ids=ids,
        key=training_key,
    )
    kept = workdir.stage("train", mark, train)
    variables = jax.tree.unflatten(structure, kept["variables"])
    return Ensemble(variables, membership, ids, History(*kept["history"])), start.variables
