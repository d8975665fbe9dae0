"""Explain, defend and reduce to ratios, a chunk of points at a time, in compiled programs.

For a chunk, all models explain all of its points, every defense is applied to the same explanations, and what an
attack needs of them is reduced to a few numbers for each model and point before anything leaves the device. No
array of models x points x features ever exists; what returns to the host is of size targets x points.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import likelihood, ratios, signals
from leakjax.attack.combine import Roles
from leakjax.attack.ratios import Ratios
from leakjax.auditing.chunks import Chunks, Program, compiled
from leakjax.auditing.predictions import Predictions
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, apply
from leakjax.evaluate import utility
from leakjax.explain import Explainer

# What a defense changes is measured on so many targets: their mean hardly varies with more.
_UTILITY_TARGETS = 8
MEASURES = {
    "cosine": utility.cosine_similarity,
    "top_overlap": utility.top_overlap,
    "relative_change": utility.relative_change,
}
# Stages of a key that was folded with a model's and a point's id.
_EXPLAIN, _DEFEND = 0, 1


class Explanations(NamedTuple):
    """What the defended explanations of all models on all points say, of one explainer and one defense.

    Attributes:
      log_l1: [targets, points].
      change: [points, measures], mean over targets of `MEASURES` between plain and defended maps.
      non_finite: int32 [points], how many models' maps held a NaN or an infinity and were zeroed.
      ratios: `Ratios` of `Roles`.
      examples: [examples, ...], defended maps of the first target at the example points.
    """

    log_l1: Any
    change: Any
    non_finite: Any
    ratios: Any
    examples: Any


_AXES = Explanations(log_l1=1, change=0, non_finite=0, ratios=Ratios(Roles(2, 2), Roles(2, 2)), examples=0)


def explain_program(subject: Subject, explainer: Explainer) -> Program:
    """Compiles the explanation of a chunk of points by all models.

    Args:
      subject: what is audited; its variables are an argument of the program.
      explainer: of one example.

    Returns:
      program(variables, x, ids, explained) -> maps [models, points, ...].
    """

    def one(own: Any, model_id: jax.Array, x: jax.Array, point_id: jax.Array, shown: jax.Array) -> jax.Array:
        return explainer(own, x, shown, key=_key_of(subject, model_id, point_id, _EXPLAIN))

    over_points = jax.vmap(one, in_axes=(None, None, 0, 0, 0))
    over_models = jax.vmap(over_points, in_axes=(0, 0, None, None, 0))
    model_ids = jnp.asarray(subject.model_ids)

    def chunk(variables: Any, x: jax.Array, ids: jax.Array, explained: jax.Array) -> jax.Array:
        return over_models(variables, model_ids, x, ids, explained)

    return compiled(chunk, (None, 0, 0, 1), 1)


def defend_program(subject: Subject, defense: Defense, *, placebo: bool = False) -> Program:
    """Compiles what becomes of a chunk's explanations: they are defended, then reduced to what an attack needs.

    Args:
      subject: what is audited; its membership is an argument of the program.
      defense: what every explanation passes through, the target's and the shadows' alike.
      placebo: permute each point's defended maps over the models, so that they cannot tell who trained on it.

    Returns:
      program(maps, ids, signal, membership) -> `Explanations` of a chunk, for `stream_explanations`.
    """
    targets, calibrators = jnp.asarray(subject.targets), subject.design.calibrators
    model_ids = jnp.asarray(subject.model_ids)

    def harden(model_id: jax.Array, point_id: jax.Array, plain: jax.Array) -> jax.Array:
        return apply(defense, plain, key=_key_of(subject, model_id, point_id, _DEFEND))

    def at_point(maps: jax.Array, scalars: jax.Array, signal: jax.Array, membership: jax.Array) -> Ratios:
        of_map = ratios.ratios(maps.reshape(len(maps), -1), membership, signal, calibrators)
        of_signals = likelihood.signal_ratios(scalars, membership, signal, calibrators)
        found = jax.tree.map(lambda some, one: jnp.concatenate([some, one[None]]), of_signals, of_map)
        return likelihood.in_roles(found, targets)

    def chunk(plain: jax.Array, ids: jax.Array, signal: jax.Array, membership: jax.Array) -> Explanations:
        maps = jax.vmap(jax.vmap(harden, in_axes=(None, 0, 0)), in_axes=(0, None, 0))(model_ids, ids, plain)
        # Looked at before and after: a defense may turn a NaN into a number.
        finite = jnp.all(jnp.isfinite((plain + maps).reshape(*signal.shape, -1)), axis=-1)
        maps = jnp.where(finite.reshape(*signal.shape, *(1,) * (maps.ndim - 2)), maps, 0.0)
        if placebo:
            maps = permute_over_models(maps, subject.key, ids)
        scalars = jax.vmap(jax.vmap(signals.attribution_signals))(maps)
        few = targets[:_UTILITY_TARGETS]
        changes = [jax.vmap(jax.vmap(measure))(plain[few], maps[few]) for measure in MEASURES.values()]
        return Explanations(
            log_l1=scalars[targets, :, 0],
            change=jnp.stack(changes, axis=-1).mean(axis=0),
            non_finite=jnp.sum(~finite, axis=0, dtype=jnp.int32),
            ratios=jax.vmap(at_point, in_axes=1, out_axes=2)(maps, scalars, signal, membership),
            examples=maps[targets[0]],
        )

    return compiled(chunk, (1, 0, 1, 1), _AXES)


def permute_over_models(maps: jax.Array, key: jax.Array, ids: jax.Array) -> jax.Array:
    """Permutes maps over the models, each point's by a permutation of its own.

    Args:
      maps: [models, points, ...].
      key: folded with the points' ids.
      ids: int32 [points].

    Returns:
      [models, points, ...].
    """
    draws = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), (len(maps),)), out_axes=1)(ids)
    return maps[jnp.argsort(draws, axis=0), jnp.arange(len(ids))[None]]


def stream_explanations(
    explain: Program,
    defend: Sequence[Program],
    subject: Subject,
    predictions: Predictions,
    examples: np.ndarray,
) -> list[Explanations]:
    """Explains all points once and passes the maps through every defense.

    Args:
      explain: from `explain_program`, for a subject of these sizes.
      defend: from `defend_program`, one for each defense.
      subject: what is audited.
      predictions: of the same subject.
      examples: int [examples], rows of points whose maps are kept.

    Returns:
      `Explanations` of each defense.
    """
    chunks, design = Chunks(subject), subject.design

    def dispatch(rows: np.ndarray) -> list[Explanations]:
        x, ids = chunks.put(subject.points.x[rows]), chunks.put(subject.points.ids[rows])
        explained, signal, membership = (
            chunks.put(a[:, rows], 1) for a in (predictions.explained, predictions.signal, subject.membership)
        )
        maps = explain(chunks.variables, x, ids, explained)
        return [program(maps, ids, signal, membership) for program in defend]

    def keep(found: list[Explanations], rows: np.ndarray) -> list[Explanations]:
        shown = np.isin(rows, examples)
        return [
            one._replace(ratios=design.keep(one.ratios, rows), examples=one.examples[shown]) for one in found
        ]

    return chunks.run(dispatch, [_AXES] * len(defend), keep)


def _key_of(subject: Subject, model_id: jax.Array, point_id: jax.Array, stage: int) -> jax.Array:
    of_model = jax.random.fold_in(subject.key, model_id)
    return jax.random.fold_in(jax.random.fold_in(of_model, point_id), stage)
