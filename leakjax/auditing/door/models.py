"""The models of an audit, and who was trained on what."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import stacked
from leakjax.auditing.door.points import check_ids
from leakjax.data import Points
from leakjax.shadow import Ensemble, History

# Beside a target there must be two models with the point and two without, as the attack counts them; of few models
# the attacks that are sound there do with one of each.
_LEAST, _LEAST_OF_FEW = 3, 1
_KINDS = (jnp.number, jnp.bool_, jax.dtypes.prng_key)
_ARRAYS = "arrays [models, ...]; where a model is no array, an index [models] into a list of your own"


def check_ensemble(ensemble: Any, points: Points) -> Ensemble:
    """The ensemble with its membership as bool.

    Args:
      ensemble: what the caller gave.
      points: checked points.

    Raises:
      UsageError: no `Ensemble`, models without arrays, arrays of another number of models, a membership that is not
        one.
    """
    if not isinstance(ensemble, Ensemble):
        rule = "must be a leakjax.Ensemble; leakjax.shadow.from_arrays(variables, membership) makes one"
        raise _validate.fail("ensemble", type(ensemble).__name__, rule)
    membership = check_membership("membership", ensemble.membership, len(points.x))
    models = len(membership)
    check_models("variables", ensemble.variables, models)
    ids = np.asarray(ensemble.ids)
    if ids.shape != (models,):
        raise _validate.fail("ensemble.ids", ids.shape, f"must be ({models},), one of each model")
    check_ids("ensemble.ids", ids)
    if not isinstance(ensemble.history, History):
        rule = "must be a leakjax.shadow.History; leakjax.shadow.from_arrays makes an ensemble without one"
        raise _validate.fail("ensemble.history", type(ensemble.history).__name__, rule)
    return ensemble._replace(membership=membership)


def check_models(name: str, variables: Any, models: int) -> None:
    """Raises UsageError unless `variables` has leaves, all of them arrays [models, ...]."""
    leaves = jax.tree.leaves(variables)
    if not leaves:
        raise _validate.fail(name, variables, f"must hold {_ARRAYS}")
    for leaf in leaves:
        dtype = getattr(leaf, "dtype", None)
        if dtype is None or not any(jnp.issubdtype(dtype, kind) for kind in _KINDS):
            shown = type(leaf).__name__ if dtype is None else str(dtype)
            raise _validate.fail(name, shown, f"must hold {_ARRAYS}")
        if np.ndim(leaf) == 0 or len(leaf) != models:
            raise _validate.fail(name, np.shape(leaf), f"must have leading axes of {models} models")


def check_untrained(untrained: Any, variables: Any, models: int) -> None:
    """Raises UsageError unless `untrained` are finite models of the form of the trained ones.

    Args:
      untrained: what the caller gave.
      variables: of the trained models, leaves [models, ...].
      models: how many.
    """
    check_models("untrained", untrained, models)
    given, trained = (_by_path(tree) for tree in (untrained, variables))
    if given.keys() != trained.keys():
        rule = f"must have the leaves of the trained variables, {', '.join(trained)}"
        raise _validate.fail("untrained", ", ".join(given), rule)
    for path, old in trained.items():
        new = given[path]
        if np.shape(new) != np.shape(old):
            rule = f"must have the shape of the trained leaf {path}, {np.shape(old)}"
            raise _validate.fail("untrained", np.shape(new), rule)
        if jnp.issubdtype(new.dtype, jnp.inexact) and not np.isfinite(np.asarray(new)).all():
            raise _validate.fail("untrained", "non-finite", "must hold finite numbers alone")


def check_membership(name: str, membership: Any, points: int | None = None) -> np.ndarray:
    """The membership as bool [models, points].

    Points that are in nearly all or nearly none of the models stay: they are dropped later and counted.

    Args:
      name: of the argument.
      membership: what the caller gave.
      points: how many there are; None: as many as it has.

    Raises:
      UsageError: values other than 0 and 1, another shape, or no point about which anything can be told.
    """
    found = _validate.yes_or_no(name, membership)
    if found.ndim != 2 or found.shape[1] != (found.shape[1] if points is None else points):
        rule = f"must have the shape of the models and points, (models, {points or 'points'})"
        raise _validate.fail(name, found.shape, rule)
    if not _told(found).any():
        rule = "no point is both in some models and out of some, so that nothing can be told; draw who trains on what "
        rule += "for each model anew, as leakjax.data.membership does"
        raise _validate.fail(name, found.shape, rule)
    return found


def check_attackable(membership: np.ndarray, targets: np.ndarray) -> None:
    """Raises UsageError unless each target has members and non-members among the points that can be attacked.

    Args:
      membership: bool [models, points].
      targets: int [targets].
    """
    held = membership[targets][:, _told(membership)]
    alike = held.all(axis=1) | ~held.any(axis=1)
    if alike.any():
        first = int(np.argmax(alike))
        holds = "all" if held[first, 0] else "none"
        rule = (
            f"holds {holds} of the points, so that nothing can be told about it; leave it out of the targets"
        )
        raise _validate.fail("targets", int(targets[first]), rule)


def _by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their paths, whatever kind of mapping holds them."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _told(membership: np.ndarray) -> np.ndarray:
    """Which points enough models hold, and enough do not, to be attacked: bool [points]."""
    inside = membership.sum(axis=0)
    least = _LEAST if len(membership) >= stacked.LEAST_MODELS else _LEAST_OF_FEW
    return np.minimum(inside, len(membership) - inside) >= least
