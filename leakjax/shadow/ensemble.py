"""An ensemble of shadow models: what it is, and which of its models failed."""

from collections.abc import Callable, Sequence
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


def from_models(variables: Sequence[Variables], membership: np.ndarray) -> Ensemble:
    """An ensemble of models that were trained elsewhere, one by one, as `leakjax.shadow.fit_many` returns them.

    Args:
      variables: of each model; trees of one structure with leaves of the same shapes. float64 becomes float32.
      membership: whether a model was trained on a point, bool [models, points].

    Returns:
      The ensemble, as `from_arrays` makes it of the stacked leaves.

    Raises:
      UsageError: no models, or two that differ in structure or shape.
    """
    if not len(variables):
        raise fail("variables", variables, "must hold one model at least")
    forms = [jax.tree.map(np.shape, own) for own in variables]
    for number, form in enumerate(forms):
        if form != forms[0]:
            raise fail("variables", f"model {number}", "must have the structure and the shapes of model 0")
    return from_arrays(jax.tree.map(_stacked, *variables), membership)


def _stacked(*leaves: np.ndarray) -> np.ndarray:
    whole = np.stack(leaves)
    return whole.astype(np.float32) if whole.dtype == np.float64 else whole


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
