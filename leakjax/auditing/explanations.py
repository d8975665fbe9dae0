"""Explain, defend and reduce, a chunk of points at a time, in compiled programs.

For a chunk, all models explain all of its points, every defense is applied to the same explanations, and what an
attack needs of them is reduced to a few numbers for each model and point before anything leaves the device. No
array of models x points x features ever exists; what returns to the host is of size targets x points.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import stacked
from leakjax.attack.map_signals import MAP_SIGNALS, SUMS, map_signals, signed_signals
from leakjax.attack.roles import Pairs
from leakjax.attack.seen import FEW_CLASSES
from leakjax.auditing.chunks import Chunks, Program, compiled, mesh_of_points
from leakjax.auditing.in_cache import at_all
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
# What is done to all models' maps of a chunk: (maps [models, points, ...], ids int32 [points]) -> such maps.
Then = Callable[[jax.Array, jax.Array], jax.Array]
# Stages of a key that was folded with a model's and a point's id.
EXPLAIN, DEFEND = 0, 1


class Explanations(NamedTuple):
    """What the defended explanations of all models on all points say, of one explainer and one defense.

    Attributes:
      log_l1: [models, points], log of the map's L1 norm; NaN of a map that is zero or not finite.
      change: [points, measures], mean over targets of `MEASURES` between plain and defended maps.
      finite: bool [models, points], whether the map held no NaN and no infinity; the attack does without the others.
      reduced: `stacked.Reduced` of the maps.
      together: `stacked.Reduced` of what maps and labels say only together.
      examples: [examples, ...], defended maps of the first target at the example points.
    """

    log_l1: Any
    change: Any
    finite: Any
    reduced: Any
    together: Any
    examples: Any


_AXES = Explanations(
    log_l1=1,
    change=0,
    finite=1,
    reduced=stacked.reduced_axes(0),
    together=stacked.reduced_axes(0),
    examples=0,
)


def explain_program(subject: Subject, explainer: Explainer) -> Program:
    """Compiles the explanation of a chunk of points by all models.

    Args:
      subject: what is audited; its variables are an argument of the program.
      explainer: of one example.

    Returns:
      program(variables, x, ids, explained) -> maps [models, points, ...], or where all classes are asked for
      [models, points, classes, ...], the explained one first and the others after it, in a circle.
    """

    def one(own: Any, model_id: jax.Array, x: jax.Array, point_id: jax.Array, shown: jax.Array) -> jax.Array:
        of = functools.partial(explainer, own, x, key=key_of(subject.key, model_id, point_id, EXPLAIN))
        if subject.explained_class != "asked":
            return of(shown)
        return jax.vmap(of)((shown + jnp.arange(subject.maps)) % subject.maps)

    explain = at_all(one, (0, 0, None, None, 0), (None, None, 0, 0, 0))
    model_ids = jnp.asarray(subject.model_ids)

    def chunk(variables: Any, x: jax.Array, ids: jax.Array, explained: jax.Array) -> jax.Array:
        return explain(variables, model_ids, x, ids, explained)

    return compiled(chunk, (None, 0, 0, 1), 1)


def defend_program(
    subject: Subject, defense: Defense, *, then: Then | None = None, several: bool = False
) -> Program:
    """Compiles what becomes of a chunk's explanations: they are defended, then reduced to what an attack needs.

    Args:
      subject: what is audited; its membership is an argument of the program.
      defense: what every explanation passes through, the target's and the shadows' alike.
      then: what is done to the defended maps before an attack reads them; None: nothing.
      several: whether an explanation holds maps of several methods, [models, points, methods, ...].

    Returns:
      program(maps, x, ids, agrees, membership) -> `Explanations` of a chunk, for `stream_explanations`.
    """
    targets = jnp.asarray(subject.targets)
    pairs = subject.roles.pairs
    many = several or subject.maps > 1
    harden = hardener(subject, defense, several=many)
    reduce = _reduction(several, many, mesh_of_points())

    def chunk(plain: jax.Array, x: jax.Array, ids: jax.Array) -> Any:
        maps = harden(plain, x, ids)
        # Looked at before and after: a defense may turn a NaN into a number.
        finite = jnp.all(jnp.isfinite((plain + maps).reshape(*maps.shape[:2], -1)), axis=-1)
        there = finite.reshape(*finite.shape, *(1,) * (maps.ndim - 2))
        shown = jnp.where(there, maps, 0.0)
        maps = jnp.where(there, maps, jnp.nan)
        few = targets[:_UTILITY_TARGETS]
        changes = [jax.vmap(jax.vmap(measure))(plain[few], shown[few]) for measure in MEASURES.values()]
        return (
            maps if then is None else then(maps, ids),
            jnp.stack(changes, axis=-1).mean(axis=0),
            finite,
            shown[targets[0], :, 0] if many else shown[targets[0]],
        )

    hardened = compiled(chunk, (1, 0, 0), (1, 0, 1, 0))

    def program(plain: Any, x: Any, ids: Any, agrees: Any, membership: Any) -> Explanations:
        maps, change, finite, examples = hardened(plain, x, ids)
        log_l1, reduced, together = reduce(maps, x, agrees, membership, pairs)
        return Explanations(log_l1, change, finite, reduced, together, examples)

    return program


@functools.lru_cache
def _reduction(several: bool, many: bool, mesh: jax.sharding.Mesh) -> Program:
    """Compiles what an attack needs of a chunk's maps: once for all defenses, explainers and subjects of a shape.

    Args:
      several: whether an explanation holds maps of several methods.
      many: whether it holds several maps at all, [models, points, maps, ...].
      mesh: the devices that it is compiled for.

    Returns:
      program(maps, x, agrees, membership, pairs) -> log_l1, reduced and together of `Explanations`.
    """

    def chunk(
        maps: jax.Array, x: jax.Array, agrees: jax.Array, membership: jax.Array, pairs: Pairs
    ) -> tuple[jax.Array, stacked.Reduced, stacked.Reduced]:
        first = maps[:, :, 0] if many else maps
        signals, seen = map_signals(first, x), [maps]
        together = signed_signals(signals, agrees)
        if many:
            others = _of_others(maps, x, sums_alone=not several)
            signals, seen = jnp.concatenate([signals, others], axis=-1), [maps, first]
        return (
            signals[..., MAP_SIGNALS.index("log_l1")],
            stacked.reduce_points(signals, seen, (), membership, pairs),
            stacked.reduce_points(together, (), (), membership, pairs),
        )

    axes = (1, stacked.reduced_axes(0), stacked.reduced_axes(0))
    return compiled(chunk, (1, 0, 1, 1, None), axes, mesh)


def hardener(subject: Subject, defense: Defense, *, several: bool = False) -> Program:
    """What becomes of the maps of a chunk: each passes through a defense with a key of its model's and its point's.

    Args:
      subject: whose models' maps they are.
      defense: what every map passes through.
      several: whether an explanation holds several maps, [models, points, maps, ...].

    Returns:
      harden(maps [models, points, ...], x [points, ...], ids int32 [points]) -> maps.
    """
    model_ids = jnp.asarray(subject.model_ids)

    def one(model_id: jax.Array, point_id: jax.Array, x: jax.Array, plain: jax.Array) -> jax.Array:
        return released(defense, plain, key_of(subject.key, model_id, point_id, DEFEND), x, several=several)

    over_points = jax.vmap(one, in_axes=(None, 0, 0, 0))
    over_models = jax.vmap(over_points, in_axes=(0, None, None, 0))
    return lambda maps, x, ids: over_models(model_ids, ids, x, maps)


def released(defense: Defense, plain: jax.Array, key: jax.Array, x: jax.Array, *, several: bool) -> jax.Array:
    """What a service shows of one explanation; of several maps each is an answer of its own, with noise of its own.

    Args:
      defense: what every map passes through.
      plain: one map, or several [maps, ...].
      key: of noise.
      x: the explained input.
      several: which of both.
    """
    if not several:
        return apply(defense, plain, key=key, x=x)
    keys = jax.random.split(key, len(plain))
    return jax.vmap(lambda one, key: apply(defense, one, key=key, x=x))(plain, keys)


def _of_others(maps: jax.Array, x: jax.Array, *, sums_alone: bool) -> jax.Array:
    """Signals of all maps [models, points, maps, ...] of a point but the first: [models, points, signals].

    Args:
      maps: of several methods, or of all classes.
      x: [points, ...].
      sums_alone: of classes the sums alone; of few classes each by itself, of many their mean, for as many signals
        could not be weighed.
    """
    each = jax.vmap(map_signals, in_axes=(2, None), out_axes=2)(maps[:, :, 1:], x)
    if sums_alone:
        each = each[..., jnp.array([MAP_SIGNALS.index(name) for name in SUMS])]
        if maps.shape[2] > FEW_CLASSES:
            return each.mean(axis=2)
    return each.reshape(*each.shape[:2], -1)


def permute_over_models(maps: jax.Array, ids: jax.Array, *, key: jax.Array) -> jax.Array:
    """Permutes maps over the models, each point's by a permutation of its own: they cannot tell who trained on it.

    Args:
      maps: [models, points, ...].
      ids: int32 [points].
      key: folded with the points' ids.

    Returns:
      [models, points, ...].
    """
    draws = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), (len(maps),)), out_axes=1)(ids)
    return maps[jnp.argsort(draws, axis=0), jnp.arange(len(ids))[None]]


def placebo(subject: Subject) -> Then:
    """`permute_over_models` by the key of a subject."""
    return functools.partial(permute_over_models, key=subject.key)


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
    chunks, answering = Chunks(subject), subject.explained_by
    answering = chunks.variables if answering is None else chunks.put(answering, None)

    def dispatch(rows: np.ndarray) -> list[Explanations]:
        x, ids = chunks.put(subject.points.x[rows]), chunks.put(subject.points.ids[rows])
        explained, agrees, membership = (
            chunks.put(a[:, rows], 1) for a in (predictions.explained, predictions.agrees, subject.membership)
        )
        maps = explain(answering, x, ids, explained)
        return [program(maps, x, ids, agrees, membership) for program in defend]

    def keep(found: list[Explanations], rows: np.ndarray) -> list[Explanations]:
        shown = np.isin(rows, examples)
        return [one._replace(examples=one.examples[shown]) for one in found]

    return chunks.run(dispatch, [_AXES] * len(defend), keep)


def key_of(key: jax.Array, model_id: jax.Array, point_id: jax.Array, stage: int) -> jax.Array:
    """The key of one model's answer at one point. Args: key: of the subject. stage: `EXPLAIN` or `DEFEND`."""
    of_model = jax.random.fold_in(key, model_id)
    return jax.random.fold_in(jax.random.fold_in(of_model, point_id), stage)
