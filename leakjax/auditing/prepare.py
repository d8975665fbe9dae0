"""The first step of an audit: the models that can be attacked, the points, and who attacks whom."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.auditing.options import Attacker
from leakjax.auditing.subject import Subject, check_models, check_targets
from leakjax.data import Points
from leakjax.explain import LogitsFn
from leakjax.shadow import Ensemble, diverged, exclude_diverged


class Prepared(NamedTuple):
    """What is audited.

    Attributes:
      subject: without the models that diverged.
      untrained: variables of as many models that know nothing, leaves [models, ...].
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
) -> Prepared:
    """Checks what is audited and leaves out the models that diverged.

    Args: as of `leakjax.audit`, `attacker` and `untrained` as of its options.

    Raises:
      UsageError: arrays that disagree, too few models, targets that do not exist or diverged.
    """
    models = len(ensemble.membership)
    check_models("variables", ensemble.variables, models)
    untrained = _shuffled(ensemble.variables, key) if untrained is None else untrained
    check_models("untrained", untrained, models)
    bad = diverged(ensemble)
    attacked = np.arange(models)[~bad] if targets is None else _targets(targets, bad)
    kept, left_out = exclude_diverged(ensemble)
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
    )
    return Prepared(subject, jax.tree.map(lambda leaf: np.asarray(leaf)[~bad], untrained), left_out)


def _targets(targets: Sequence[int], bad: np.ndarray) -> np.ndarray:
    check_targets(targets, len(bad))
    for target in targets:
        if bad[target]:
            raise _validate.fail("targets", target, "this model diverged and cannot be attacked")
    return np.asarray(targets, int)


def _shuffled(variables: Any, key: jax.Array) -> Any:
    """Networks of the same scale that know nothing: every model's weights shuffled within each array."""
    leaves = jax.tree.leaves(variables)
    keys = iter(jax.random.split(jax.random.fold_in(key, 2), len(leaves)))

    def shuffle(leaf: jax.Array) -> jax.Array:
        flat = jnp.reshape(leaf, (len(leaf), -1))
        return jax.random.permutation(next(keys), flat, axis=1, independent=True).reshape(leaf.shape)

    return jax.tree.map(shuffle, variables)
