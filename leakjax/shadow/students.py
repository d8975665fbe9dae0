"""Students: each model of an ensemble learns what a teacher of its own answers, not the labels."""

import jax
import numpy as np

from leakjax._validate import same_shape
from leakjax.models.model import Model
from leakjax.shadow.config import TrainConfig
from leakjax.shadow.ensemble import Ensemble
from leakjax.shadow.together import train_ensemble


def students(
    model: Model,
    x: np.ndarray,
    answers: np.ndarray,
    config: TrainConfig,
    *,
    key: jax.Array,
    membership: np.ndarray,
    ids: np.ndarray,
) -> Ensemble:
    """Trains a student on each teacher's answers, one student after the other in one compiled program.

    Args:
      model: the students' network.
      x: features, float32 [points, ...].
      answers: probabilities of the classes by each student's own teacher, float32 [models, points, classes]; those of
        `leakjax.defend.policies.out_of_fold` make SELENA (arXiv 2110.08324).
      config: how to train.
      key: the ensemble's key.
      membership: which points each student is trained on, bool [models, points].
      ids: of the students, int32 [models].

    Returns:
      The trained students.

    Raises:
      UsageError: as `train_ensemble`, or answers of another shape.
    """
    same_shape("answers", answers.shape[:2], np.shape(membership), "the models and points")
    found = [
        train_ensemble(model, x, own, config, key=key, membership=membership[[row]], ids=ids[[row]])
        for row, own in enumerate(np.asarray(answers, np.float32))
    ]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
