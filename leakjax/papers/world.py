"""What a study attacks: trained models, the points on which they are attacked, and what the models answer."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import shadow
from leakjax._workdir import Workdir
from leakjax.auditing.chunks import compiled, mesh_of_points
from leakjax.auditing.in_cache import at_all
from leakjax.auditing.measure import sit
from leakjax.auditing.options import Attacker
from leakjax.auditing.pool import Pool, audited
from leakjax.auditing.predictions import predict_program
from leakjax.auditing.prepare import Prepared, prepare
from leakjax.auditing.rows import Sitting
from leakjax.auditing.stored import stored
from leakjax.auditing.subject import Subject
from leakjax.auditing.trained import trained
from leakjax.models import Model
from leakjax.shadow.ensemble import OnEpoch


@dataclasses.dataclass(frozen=True)
class Training:
    """How the models of a study are made.

    Attributes:
      model: the network.
      config: how it is trained.
      models: how many, each on a random half of the points.
      key: of who is trained on what, and of the training.
      ensemble: where models are that were trained before, with their own config, and are taken instead; None: nowhere.
      gap: of these, the generalisation gap at which they are taken.
    """

    model: Model
    config: shadow.TrainConfig
    models: int
    key: jax.Array
    ensemble: Path | None = None
    gap: float | None = None


def prepared(
    training: Training,
    pool: Pool,
    attacker: Attacker,
    *,
    audit_points: int | None,
    targets: Sequence[int] | None = None,
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> Prepared:
    """Trains the models, unless the workdir keeps them or they were trained before, and says what is attacked.

    Args:
      training: of the models.
      pool: the training points and the background.
      attacker: what it knows and is shown.
      audit_points: how many of the points are attacked, evenly spaced; None: all.
      targets: which of the models are attacked; None: all.
      workdir: keeps the models.
      say: called with a line when training begins.
      on_epoch: called after each epoch.
    """
    points = pool.points
    sizes: Any = {"models": training.models, "key": training.key}
    if training.ensemble is not None:
        ensemble, untrained = stored(training.ensemble, training.model, points, gap=training.gap, **sizes)
    else:
        ensemble, untrained = trained(
            training.model,
            points,
            training.config,
            workdir=workdir,
            say=say,
            on_epoch=on_epoch,
            **sizes,
        )
    points, ensemble = audited(points, ensemble, audit_points)
    return prepare(
        training.model.logits_fn,
        ensemble,
        points,
        targets=targets,
        key=jax.random.fold_in(training.key, 2),
        attacker=attacker,
        untrained=untrained,
    )


def sitting_of(subject: Subject) -> Sitting:
    """The predictions of a subject, attacked alone."""
    return sit(subject, predict_program(subject))


def logits_at(subject: Subject, inputs: Callable[[np.ndarray], Any], queries: int) -> np.ndarray:
    """What all models answer to further inputs near each point.

    Args:
      subject: models and points.
      inputs: from rows of points, int [rows], to inputs [models, rows, queries, ...], or [1, rows, queries, ...] where
        they are the same for all models.
      queries: how many inputs a point.

    Returns:
      float32 [models, points, queries, classes].
    """

    of_point = jax.vmap(subject.logits_fn, (None, 0))

    def chunk(variables: Any, x: jax.Array) -> jax.Array:
        if x.shape[0] == 1:
            return at_all(of_point, (0, None), (None, 0))(variables, x[0])
        return at_all(of_point, (0, 0), (None, 0))(variables, x)

    ask, devices = compiled(chunk, (None, 1), 1), mesh_of_points().size
    count, size = len(subject.points.x), max(1, 256 // queries // devices) * devices
    found = []
    for start in range(0, count, size):
        rows = np.arange(start, start + size) % count
        asked = np.asarray(ask(subject.variables, jnp.asarray(inputs(rows))))
        found.append(asked[:, : count - start])
    return np.concatenate(found, axis=1)
