"""What further prediction queries near each point say: what an explanation is worth is told in them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import queries as inputs
from leakjax.attack import stacked
from leakjax.attack.seen import codes_of_kind, seen
from leakjax.attack.stacked import Discrete, View
from leakjax.auditing.chunks import Chunks, Program, compiled
from leakjax.auditing.in_cache import at_all
from leakjax.auditing.kept import OF_NEIGHBOUR
from leakjax.auditing.score import Baseline
from leakjax.auditing.subject import Subject
from leakjax.oracle import prediction_part

_STAGE = 2  # of a key that is folded with a point's id


class Near(NamedTuple):
    """The attack on predictions that may ask near each point too.

    Attributes:
      scores: by the number of queries, [releases, targets, points].
      base: with the most queries, on which explanations stand.
    """

    scores: Mapping[int, np.ndarray]
    base: Baseline


def counts(most: int) -> list[int]:
    """How many queries are tried, up to the most: 1, 2, 4, ..."""
    return sorted({*(2**power for power in range(most.bit_length())), most} - {0})


def near(subject: Subject, x: jax.Array, ids: jax.Array) -> jax.Array:
    """Inputs near points, the same ones for every model: [points, neighbours, ...].

    Args:
      subject: how many and how far.
      x: [points, ...].
      ids: int32 [points]; keys are folded with them.
    """

    def of_one(x: jax.Array, point_id: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(subject.key, _STAGE), point_id)
        return inputs.neighbours(x, subject.neighbours, noise=subject.neighbour_step, key=key)

    return jax.vmap(of_one)(x, ids)


def near_program(subject: Subject) -> Program:
    """Compiles what all models predict near a chunk of points, reduced to what an attack needs.

    Args:
      subject: what is audited, and how many neighbours are asked.

    Returns:
      program(variables, x, ids, y, membership) -> by how many neighbours are looked at, the first ones, and by release:
      (`stacked.Reduced`, kinds of each discrete answer).
    """
    pairs = subject.roles.pairs

    def chunk(variables: Any, x: jax.Array, ids: jax.Array, y: jax.Array, membership: jax.Array) -> Any:
        points, most = len(x), subject.neighbours
        every = near(subject, x, ids).reshape(points * most, *x.shape[1:])
        logits = at_all(subject.logits_fn, (0, None), (None, 0))(variables, every)
        apart = lambda flat: flat.reshape(len(flat), points, most, *flat.shape[2:])
        found: dict[int, dict[str, Any]] = {count: {} for count in counts(most)}
        for name in _releases(subject):
            part = prediction_part(name)
            told = seen(part, logits, jnp.repeat(y, most), label_known=subject.label_known)
            for count in found:
                codes = [
                    (apart(code)[:, :, place], apart(kind)[:, :, place])
                    for code, kind in told.codes
                    for place in range(count)
                ]
                # Wrong or right of each neighbour, the second discrete answer of every release; and of how many.
                right = 1.0 - apart(told.codes[1][0])[:, :, :count].mean(axis=-1, keepdims=True)
                signals = apart(told.signals[..., :OF_NEIGHBOUR])[:, :, :count].reshape(
                    len(logits), points, -1
                )
                signals = jnp.concatenate([signals, right], axis=-1)
                reduced = stacked.reduce_points(signals, (), codes, membership, pairs)
                found[count][name] = reduced, tuple(kind for _, kind in codes)
        return found

    return compiled(chunk, (None, 0, 0, 0, 1), _axes(subject))


def ask(subject: Subject, alone: Baseline) -> Near | None:
    """Attacks predictions with ever more queries near each point; None where none may be asked.

    Args:
      subject: what is attacked.
      alone: without them.
    """
    if not subject.stackable or not subject.neighbours:
        return None
    scores, base = {}, alone
    for count, found in _reduced(subject).items():
        base = _beside(subject, alone, count, found)
        scores[count] = np.stack([stacked.scores_of(found) for found in base.log_odds.values()])
    return Near(scores, base)


def _reduced(subject: Subject) -> Any:
    """What `near_program` says of all points."""
    program, chunks = near_program(subject), Chunks(subject)

    def dispatch(rows: np.ndarray) -> Any:
        x, y, ids = (
            chunks.put(each[rows]) for each in (subject.points.x, subject.points.y, subject.points.ids)
        )
        return program(chunks.variables, x, ids, y, chunks.put(subject.membership[:, rows], 1))

    return chunks.run(dispatch, _axes(subject), lambda chunk, rows: chunk)


def _beside(subject: Subject, alone: Baseline, count: int, found: Mapping[str, Any]) -> Baseline:
    features, log_odds = dict(alone.features), dict(alone.log_odds)
    for name, (reduced, kinds) in found.items():
        sizes = codes_of_kind(prediction_part(name), subject.points.classes)
        each = [size for size in sizes for _ in range(count)]
        discrete = [Discrete(kind, kind, size) for kind, size in zip(kinds, each, strict=True)]
        more = stacked.grouped(View(reduced, discrete), subject.membership, subject.roles)
        features[name] = stacked.beside(alone.features[name], more)
        # Twice, as `learn_alone` does: what stands beside them must not gain by another look at them.
        first = stacked.learn(features[name], alone.labels, alone.log_odds[name])
        log_odds[name] = stacked.learn(features[name], alone.labels, first)
    return alone._replace(features=features, log_odds=log_odds)


def _releases(subject: Subject) -> Sequence[str]:
    return [name for name in subject.releases if prediction_part(name).kind != "none"]


def _axes(subject: Subject) -> Any:
    kinds = {name: len(codes_of_kind(prediction_part(name), 2)) for name in _releases(subject)}
    of = lambda codes: (stacked.reduced_axes(codes), (1,) * codes)
    return {
        count: {name: of(count * each) for name, each in kinds.items()}
        for count in counts(subject.neighbours)
    }
