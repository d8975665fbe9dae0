"""An ensemble of shadow models: what it is, and which of its models failed."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import fail, yes_or_no
from leakjax.models.model import Variables

OnEpoch = Callable[[int, np.ndarray, np.ndarray], object]  # epoch, loss [models], accuracy [models]


class History(NamedTuple):
    """Mean training loss and accuracy over the batches of each epoch, float32 [models, epochs].

    The figures of the last epoch are repeated for a model that stopped at a gap.
    """

    loss: np.ndarray
    accuracy: np.ndarray


class Ensemble(NamedTuple):
    """Models of one kind, each with its own membership; arrays in host memory, for the next stage to place.

    Attributes:
      variables: of all models, leaves [models, ...].
      membership: whether a model was trained on a point, bool [models, points].
      ids: of the models, int32 [models]; keys are folded with them.
      history: how training went; no epochs where nothing was trained here.
    """

    variables: Variables
    membership: np.ndarray
    ids: np.ndarray
    history: History


def no_history(models: int) -> History:
    """The history of models that were not trained here."""
    none = np.zeros((models, 0), np.float32)
    return History(none, none)


def from_arrays(variables: Variables, membership: np.ndarray) -> Ensemble:
    """An ensemble that was trained elsewhere, with ids 0, 1, 2, ... and no history.

    Args:
      variables: of all models, leaves [models, ...].
      membership: whether a model was trained on a point, bool [models, points].

    Returns:
      The ensemble; `leakjax.audit` checks its shapes.
    """
    membership = yes_or_no("membership", membership)
    models = len(membership)
    return Ensemble(variables, membership, np.arange(models, dtype=np.int32), no_history(models))


def diverged(ensemble: Ensemble) -> np.ndarray:
    """Which models have a loss or a weight that is not finite, bool [models]."""
    finite = np.isfinite(ensemble.history.loss).all(1)
    for leaf in jax.tree.leaves(ensemble.variables):
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact):
            continue  # a key, a counter, an index
        finite &= np.isfinite(np.asarray(leaf)).reshape(len(finite), -1).all(1)
    return ~finite


def exclude_diverged(ensemble: Ensemble) -> tuple[Ensemble, np.ndarray]:
    """Leaves out the models that `diverged`.

    Args:
      ensemble: any ensemble.

    Returns:
      The ensemble of the other models, and the ids of those left out, int32 [diverged].

    Raises:
      UsageError: no model is left.
    """
    bad = diverged(ensemble)
    if bad.all():
        raise fail("diverged", len(bad), "every model diverged; lower the learning rate")
    if not bad.any():
        return ensemble, ensemble.ids[bad]
    return jax.tree.map(lambda leaf: leaf[~bad], ensemble), ensemble.ids[bad]
