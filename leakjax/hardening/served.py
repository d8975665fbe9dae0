"""Who explains, where that is not the model that predicts, and which queries get no explanation: hooks of a release.

Each takes an explainer of one example and returns one, so that it stands in `leakjax.audit(explainers=...)` as every
explainer does, and the attack is refitted for it:

    ensemble = explained_by(ensemble, students)            # leaves [models, ...]
    leakjax.audit(predicting(logits_fn), ensemble, points, explainers={"student": explaining(explainer)}, ...)

The class that is explained still comes from the audit: with explained_class="predicted" it is the full model's, which
none of these covers; "true" is fixed by the query.
"""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.explain import Explainer, LogitsFn
from leakjax.shadow import Ensemble

_PREDICTS, _EXPLAINS = "predicts", "explains"


def explained_by(ensemble: Ensemble, others: Any) -> Ensemble:
    """An ensemble whose explanations other models give.

    Args:
      ensemble: the models that predict.
      others: variables of those that explain, leaves [models, ...]; of `out_of_fold` [models, folds, ...].

    Returns:
      The ensemble, for `predicting` and `explaining`; membership stays that of the models that predict.

    Raises:
      UsageError: others of another number of models.
    """
    models = len(ensemble.membership)
    for leaf in jax.tree.leaves(others):
        if leaf.ndim == 0 or len(leaf) != models:
            raise _validate.fail("explained_by", leaf.shape, f"must have leaves [{models} models, ...]")
    return ensemble._replace(variables={_PREDICTS: ensemble.variables, _EXPLAINS: others})


def predicting(logits_fn: LogitsFn) -> LogitsFn:
    """Logits of the models that predict."""
    return lambda variables, x: logits_fn(variables[_PREDICTS], x)


def explaining(explainer: Explainer) -> Explainer:
    """Explanations by the models that explain: a student, distilled on points that nobody's explanation may reveal."""

    def explain(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        return explainer(variables[_EXPLAINS], x, target, key=key, segments=segments)

    return explain


def fold_of(x: jax.Array, folds: int, *, secret: jax.Array) -> jax.Array:
    """The fold of a query by a keyed hash of its values alone, inside a compiled program.

    `leakjax.defend.policies.folds_of` is what a service uses; this one is for measurements: it is threefry and may be
    traced.

    Args:
      x: the query; float32 values decide, and -0.0 counts as 0.0.
      folds: K, at least 2.
      secret: a typed key that attackers do not know.

    Returns:
      int32, 0..K-1.

    Raises:
      UsageError: fewer than two folds.
    """
    _validate.at_least("folds", folds, 2)
    values = jnp.ravel(x).astype(jnp.float32)
    # Not x + 0.0, which the compiler takes for x.
    words = jax.lax.bitcast_convert_type(jnp.where(values == 0, 0.0, values), jnp.uint32)
    mixed, _ = jax.lax.scan(lambda key, word: (jax.random.fold_in(key, word), None), secret, words)
    return jax.random.randint(mixed, (), 0, folds)


def out_of_fold(explainer: Explainer, folds: int, *, secret: jax.Array) -> Explainer:
    """Explanations by the sub-model that never saw the query's fold.

    Sub-model k of each model was trained on the model's points but for those of fold k (`fold_of`). At the exact query
    its answer is independent of the point's membership, if no near-duplicate is in another fold and preprocessing,
    steps and stopping never used the point. A perturbed query goes to another sub-model, which did see the point.

    Args:
      explainer: of one example and one sub-model.
      folds: K.
      secret: as of `fold_of`.

    Returns:
      The explainer, for an ensemble of `explained_by` with leaves [models, folds, ...].
    """

    def explain(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        fold = fold_of(x, folds, secret=secret)
        own = jax.tree.map(lambda leaf: leaf[fold], variables[_EXPLAINS])
        return explainer(own, x, target, key=key, segments=segments)

    return explain


def withholding(explainer: Explainer, logits_fn: LogitsFn, reference: Any, *, least: float) -> Explainer:
    """No explanation, a map of zeros, where reference models are unsure.

    Who is refused does not depend on the model that explains, so a refusal tells nothing. Its cost falls on hard
    records, often a minority's: `leakjax.defend.policies.selective` counts them by group.

    Args:
      explainer: of one example.
      logits_fn: of the reference models.
      reference: their variables, leaves [models, ...]; they are neither targets nor shadows.
      least: mean largest probability below which nothing is released, 0..1.

    Returns:
      The explainer.

    Raises:
      UsageError: a threshold out of range.
    """
    if not 0 <= least <= 1:
        raise _validate.fail("least", least, "must be between 0 and 1")

    def explain(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        logits = jax.vmap(logits_fn, in_axes=(0, None))(reference, x)
        sure = jax.nn.softmax(logits).max(axis=-1).mean()
        shown = explainer(variables, x, target, key=key, segments=segments)
        return jnp.where(sure >= least, shown, 0)

    return explain


def asked_nearby(explainer: Explainer, *, queries: int, step: float, key: jax.Array) -> Explainer:
    """What an attacker gets who asks beside the point: the mean of explanations of slightly moved queries.

    A moved query has another hash, so that `out_of_fold` sends most of them to sub-models that did see the point.

    Args:
      explainer: of one example, the service's own.
      queries: how many, at least 1.
      step: standard deviation of a move in every feature.
      key: of the moves, which are the same for every model.

    Returns:
      The explainer.

    Raises:
      UsageError: no query, or a step that is not positive.
    """
    _validate.at_least("queries", queries, 1)
    _validate.positive("step", step)
    of_moves = key

    def explain(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        moved = x[None] + step * jax.random.normal(of_moves, (queries, *x.shape), x.dtype)
        ask = lambda x, key: explainer(variables, x, target, key=key, segments=segments)
        return jax.vmap(ask)(moved, jax.random.split(key, queries)).mean(axis=0)

    return explain
