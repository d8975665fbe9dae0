"""The first step of an audit: the models that can be attacked, the points, and who attacks whom."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack.stacked import LEAST_MODELS as LEAST_STACKED
from leakjax.auditing import door
from leakjax.auditing.coins import check_coins
from leakjax.auditing.options import Attacker
from leakjax.auditing.subject import Subject
from leakjax.data import Points
from leakjax.explain import LogitsFn
from leakjax.shadow import Ensemble, diverged, exclude_diverged


class Prepared(NamedTuple):
    """What is audited.

    Attributes:
      subject: without the models that diverged.
      untrained: variables of as many models that know nothing, leaves [models, ...]; None where there are none.
      diverged: int [models left out], ids of the models that diverged.
    """

    subject: Subject
    untrained: Any
    diverged: np.ndarray


def prepare(
    logits_fn: LogitsFn,
    ensemble: Ensemble,
    points: Points,
    *,
    targets: Sequence[int] | None,
    key: jax.Array,
    attacker: Attacker,
    untrained: Any,
    least: int = LEAST_STACKED,
) -> Prepared:
    """Checks what is audited and leaves out the models that diverged.

    Args: as of `leakjax.audit`, `attacker` and `untrained` as of its options; `points` were checked; `least` models are
    needed, as many as the stacked attack needs where nothing else can take its place.

    Raises:
      UsageError: arrays that disagree, too few models, targets that do not exist or diverged.
    """
    door.check_key(key)
    ensemble = door.check_ensemble(ensemble, points)
    models = len(ensemble.membership)
    _validate.at_least("models", models, least)
    bad = diverged(ensemble)
    attacked = np.arange(models)[~bad] if targets is None else _targets(targets, bad)
    kept, left_out = exclude_diverged(ensemble)
    door.check_attackable(np.asarray(ensemble.membership), attacked)
    check_coins("membership", np.asarray(ensemble.membership, bool))
    door.check_logits(logits_fn, kept.variables, points)
    if untrained is None:
        untrained = _shuffled(kept.variables, key)
    else:
        door.check_untrained(untrained, ensemble.variables, models)
        untrained = jax.tree.map(lambda leaf: leaf[~bad], untrained)
    answering = attacker.explained_by
    if answering is not None:
        door.check_models("explained_by", answering, models)
        answering = jax.tree.map(lambda leaf: leaf[~bad], answering)
    subject = Subject(
        logits_fn,
        kept.variables,
        np.asarray(kept.ids),
        points,
        np.asarray(kept.membership, bool),
        targets=(np.cumsum(~bad) - 1)[attacked],  # their places among the models that are left
        key=key,
        label_known=attacker.label_known,
        explained_class=attacker.explained_class,
        releases=attacker.releases,
        neighbours=attacker.neighbours,
        neighbour_step=attacker.neighbour_step,
        explained_by=answering,
    )
    return Prepared(subject, untrained, left_out)


def _targets(targets: Sequence[int], bad: np.ndarray) -> np.ndarray:
    found = door.check_targets(targets, len(bad))
    for target in found[bad[found]]:
        raise _validate.fail("targets", int(target), "this model diverged and cannot be attacked")
    return found


def _shuffled(variables: Any, key: jax.Array) -> Any:
    """Networks of the same scale that know nothing: every model's weights shuffled within each array.

    None where that changes nothing, as where a model is an index into something that only its `logits_fn` knows.
    """
    leaves, structure = jax.tree.flatten(variables)
    generator = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.fold_in(key, 2))))
    shuffled = [_shuffle(leaf, generator) for leaf in leaves]
    if all(new is old or np.array_equal(new, old) for new, old in zip(shuffled, leaves, strict=True)):
        return None
    return jax.tree.unflatten(structure, shuffled)


def _shuffle(leaf: Any, generator: np.random.Generator) -> Any:
    """A leaf [models, ...] shuffled within each model; counters, keys and indices stay as they are."""
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf
    flat = np.asarray(leaf).reshape(len(leaf), -1)
    return generator.permuted(flat, axis=1).reshape(leaf.shape)  # JAX would compile a sort for every shape
