"""Explain, defend and reduce to ratios, a chunk of points at a time, in one compiled program.

For a chunk, all models explain all of its points, every defense is applied to the same explanations, and what an
attack needs of them is reduced to a few numbers for each model and point before anything leaves the device. No
array of models x points x features ever exists; what returns to the host is of size targets x points.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import likelihood, ratios, signals
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, apply
from leakjax.evaluate import utility
from leakjax.explain import Explainer

# Attribution values that a chunk holds at once, for all models and points of it.
_CHUNK_VALUES = 2**23
# More points at once keep an accelerator busy; on a CPU they leave the cache (64 models of 8x8 digits: 64 points were
# a tenth faster than 128 or 32).
_MOST_POINTS, _MOST_POINTS_ON_CPU = 1024, 64
# What hardening changes is measured on so many targets: their mean hardly varies with more.
_UTILITY_TARGETS = 8
MEASURES = {
    "cosine": utility.cosine_similarity,
    "top_overlap": utility.top_overlap,
    "relative_change": utility.relative_change,
}
# Stages of a key that was folded with a model's and a point's id.
_EXPLAIN, _DEFEND = 0, 1


class Predictions(NamedTuple):
    """What the predictions of all models on all points say.

    Attributes:
      signal: [models, points], the log-odds of the class that the attacker looks at; explanations are
        conditioned on it.
      explained: int32 [models, points], the class that is explained.
      correct: bool [models, points].
      loss: [targets, points].
      confidence: [targets, points], the log-odds of the predicted class.
      at_target: [points, signals, 2, targets], see `likelihood.split`.
      at_calibrators: [calibration points, signals, 2, targets, calibrators].
    """

    signal: np.ndarray
    explained: np.ndarray
    correct: np.ndarray
    loss: np.ndarray
    confidence: np.ndarray
    at_target: np.ndarray
    at_calibrators: np.ndarray


# The axis of points of each field of `Predictions`.
_POINTS_AXES = (1, 1, 1, 1, 1, 0, 0)


class Explanations(NamedTuple):
    """What the released explanations of all models on all points say, of one explainer and one defense.

    Attributes:
      log_l1: [targets, points].
      change: [points, measures], mean over targets of `MEASURES` between plain and released maps.
      non_finite: how many attributions held a NaN or an infinity, were zeroed and count as such.
      at_target: as in `Predictions`.
      at_calibrators: as in `Predictions`.
      examples: [examples, ...], released maps of the first target at the example points.
    """

    log_l1: np.ndarray
    change: np.ndarray
    non_finite: int
    at_target: np.ndarray
    at_calibrators: np.ndarray
    examples: np.ndarray


def chunk_size(models: int, features: int) -> int:
    """How many points go through the program at once: a power of two, so that few sizes are ever compiled."""
    most = max(1, _CHUNK_VALUES // (models * features))
    limit = _MOST_POINTS_ON_CPU if jax.default_backend() == "cpu" else _MOST_POINTS
    return min(limit, 2 ** (most.bit_length() - 1))


Program = Callable[..., Any]

# How arrays lie on the devices: all on each, or split along their axis of points (the first or the second).
_SHARED, _POINTS, _SECOND = (jax.P(*axes) for axes in ((), ("points",), (None, "points")))


def _mesh() -> jax.sharding.Mesh:
    return jax.sharding.Mesh(np.array(jax.local_devices()), ("points",))


def _compiled(function: Callable[..., Any], arguments: tuple[Any, ...], results: Any) -> Program:
    """Compiles a function of a chunk so that each device runs it on its own part of the points.

    By shard_map and not by the compiler's own partitioning: that gathers where it knows no better (in a batched
    linear solve, say), and on the CPU devices that wait for each other can wait forever.
    """
    return jax.jit(
        jax.shard_map(function, mesh=_mesh(), in_specs=arguments, out_specs=results, check_vma=False)
    )


class _Chunks:
    """Walks over the points, each chunk of them spread over the local devices.

    Points are independent of each other, so no device waits for another; every device holds all models. While a
    chunk is computed the one before it is fetched.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        points, features = len(subject.points.x), int(np.prod(subject.points.x.shape[1:]))
        self._mesh = _mesh()
        devices = self._mesh.size
        self.size = -(-min(chunk_size(subject.models, features), points) // devices) * devices
        self.variables = jax.device_put(subject.variables, jax.sharding.NamedSharding(self._mesh, _SHARED))
        self._wanted = np.zeros(points, bool)
        self._wanted[subject.design.calibration_points] = True

    def put(self, array: np.ndarray, points_axis: int = 0) -> jax.Array:
        """An array of a chunk on its devices, split along the axis of points."""
        spec = _SECOND if points_axis else _POINTS
        return jax.device_put(array, jax.sharding.NamedSharding(self._mesh, spec))

    def run(
        self, dispatch: Callable[[np.ndarray], Any], fetch: Callable[[Any, np.ndarray, int], Any]
    ) -> list[Any]:
        """The chunks' results: dispatch(rows) starts one, fetch(started, rows, count) brings it to the host."""
        points, results, waiting = len(self.subject.points.x), [], None
        for start in range(0, points, self.size):
            rows, count = np.arange(start, start + self.size) % points, min(self.size, points - start)
            started = dispatch(rows)
            if waiting is not None:
                results.append(fetch(*waiting))
            waiting = (started, rows[:count], count)
        return [*results, fetch(*waiting)] if waiting else results

    def split(self, found: jax.Array, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A chunk's ratios about the targets, and about their calibrators at the calibration points alone."""
        values = np.asarray(found)[: len(rows)]
        return values[..., 0].copy(), values[self._wanted[rows]][..., 1:]


def predict_program(subject: Subject) -> Program:
    """Compiles the prediction of a chunk by all models, reduced to what an attack needs.

    Args:
      subject: what is audited; its variables and membership are arguments of the program.

    Returns:
      program(variables, x, y, membership), for `stream_predictions`.
    """
    targets, calibrators = jnp.asarray(subject.targets), subject.design.calibrators

    def chunk(variables: Any, x: jax.Array, y: jax.Array, membership: jax.Array) -> tuple[Any, ...]:
        def one(own: Any, x: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
            logits = subject.logits_fn(own, x)
            predicted = jnp.argmax(logits)
            signal = signals.logit_confidence(logits, y if subject.label_known else predicted)
            return (
                signal,
                jnp.where(subject.explain_label, y, predicted).astype(jnp.int32),
                predicted == y,
                signals.cross_entropy(logits, y),
                signals.logit_confidence(logits, predicted),
                jax.nn.log_softmax(logits),
            )

        over_points = jax.vmap(one, in_axes=(None, 0, 0))
        signal, explained, correct, loss, confidence, logs = jax.vmap(over_points, (0, None, None))(
            variables, x, y
        )

        def at_point(signal: jax.Array, logs: jax.Array, membership: jax.Array) -> jax.Array:
            of_signal = likelihood.prediction_ratios(signal[:, None], membership, calibrators)
            of_vector = ratios.ratios(logs, membership, signal, calibrators)
            return jnp.concatenate([of_signal, of_vector[None]])[..., targets, :]

        found = jax.vmap(at_point, in_axes=1)(signal, logs, membership)
        return signal, explained, correct, loss[targets], confidence[targets], found

    return _compiled(chunk, (_SHARED, _POINTS, _POINTS, _SECOND), (*[_SECOND] * 5, _POINTS))


def stream_predictions(program: Program, subject: Subject) -> Predictions:
    """Runs a program of `predict_program` over all points.

    Args:
      program: compiled for a subject of these sizes.
      subject: what is audited.

    Returns:
      `Predictions`.
    """
    chunks = _Chunks(subject)

    def dispatch(rows: np.ndarray) -> tuple[jax.Array, ...]:
        x, y = chunks.put(subject.points.x[rows]), chunks.put(subject.points.y[rows])
        return program(chunks.variables, x, y, chunks.put(subject.membership[:, rows], 1))

    def fetch(started: tuple[jax.Array, ...], rows: np.ndarray, count: int) -> Predictions:
        *arrays, found = started
        signal, explained, correct, loss, confidence = (np.asarray(a)[:, :count] for a in arrays)
        return Predictions(signal, explained, correct, loss, confidence, *chunks.split(found, rows))

    columns = zip(*chunks.run(dispatch, fetch), strict=True)
    return Predictions._make(
        np.concatenate(c, axis=axis) for c, axis in zip(columns, _POINTS_AXES, strict=True)
    )


def explain_program(subject: Subject, explainer: Explainer) -> Program:
    """Compiles the explanation of a chunk of points by all models.

    Args:
      subject: what is audited; its variables are an argument of the program.
      explainer: of one example.

    Returns:
      program(variables, x, ids, explained) -> maps [models, points, ...].
    """

    def one(own: Any, model_id: jax.Array, x: jax.Array, point_id: jax.Array, target: jax.Array) -> jax.Array:
        return explainer(own, x, target, key=_key_of(subject, model_id, point_id, _EXPLAIN))

    over_points = jax.vmap(one, in_axes=(None, None, 0, 0, 0))
    over_models = jax.vmap(over_points, in_axes=(0, 0, None, None, 0))
    model_ids = jnp.asarray(subject.model_ids)

    def chunk(variables: Any, x: jax.Array, ids: jax.Array, explained: jax.Array) -> jax.Array:
        return over_models(variables, model_ids, x, ids, explained)

    return _compiled(chunk, (_SHARED, _POINTS, _POINTS, _SECOND), _SECOND)


def release_program(subject: Subject, defense: Defense, *, placebo: bool = False) -> Program:
    """Compiles what becomes of a chunk's explanations: they are hardened, then reduced to what an attack needs.

    Args:
      subject: what is audited; its membership is an argument of the program.
      defense: what every explanation passes through, the target's and the shadows' alike.
      placebo: permute each point's released explanations over the models, so that they cannot tell a member.

    Returns:
      program(maps, ids, signal, membership) -> log_l1, non-finite, change, ratios, maps of the first target.
    """
    targets, calibrators = jnp.asarray(subject.targets), subject.design.calibrators
    model_ids = jnp.asarray(subject.model_ids)

    def harden(model_id: jax.Array, point_id: jax.Array, plain: jax.Array) -> jax.Array:
        return apply(defense, plain, key=_key_of(subject, model_id, point_id, _DEFEND))

    def at_point(maps: jax.Array, scalars: jax.Array, signal: jax.Array, membership: jax.Array) -> jax.Array:
        of_map = ratios.ratios(maps.reshape(len(maps), -1), membership, signal, calibrators)
        of_scalars = likelihood.signal_ratios(scalars, membership, signal, calibrators)
        return jnp.concatenate([of_scalars, of_map[None]])[..., targets, :]

    def chunk(
        plain: jax.Array, ids: jax.Array, signal: jax.Array, membership: jax.Array
    ) -> tuple[jax.Array, ...]:
        maps = jax.vmap(jax.vmap(harden, in_axes=(None, 0, 0)), in_axes=(0, None, 0))(model_ids, ids, plain)
        # Looked at before and after: a defense may turn a NaN into a number.
        finite = jnp.all(jnp.isfinite((plain + maps).reshape(*signal.shape, -1)), axis=-1)
        maps = jnp.where(finite.reshape(*signal.shape, *(1,) * (maps.ndim - 2)), maps, 0.0)
        if placebo:
            maps = _permute_over_models(maps, subject.key, ids)
        scalars = jax.vmap(jax.vmap(signals.attribution_signals))(maps)
        found = jax.vmap(at_point, in_axes=1)(maps, scalars, signal, membership)
        few = targets[:_UTILITY_TARGETS]
        changes = [jax.vmap(jax.vmap(measure))(plain[few], maps[few]) for measure in MEASURES.values()]
        change = jnp.stack(changes, axis=-1).mean(axis=0)
        return scalars[targets, :, 0], ~finite, change, found, maps[targets[0]]

    results = (_SECOND, _SECOND, _POINTS, _POINTS, _POINTS)
    return _compiled(chunk, (_SECOND, _POINTS, _SECOND, _SECOND), results)


def _key_of(subject: Subject, model_id: jax.Array, point_id: jax.Array, stage: int) -> jax.Array:
    of_model = jax.random.fold_in(subject.key, model_id)
    return jax.random.fold_in(jax.random.fold_in(of_model, point_id), stage)


def _permute_over_models(maps: jax.Array, key: jax.Array, ids: jax.Array) -> jax.Array:
    """Permutes [models, points, ...] over the models, each point by a permutation of its own."""
    draws = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), (len(maps),)), out_axes=1)(ids)
    return maps[jnp.argsort(draws, axis=0), jnp.arange(len(ids))[None]]


def stream_explanations(
    explain: Program,
    releases: Sequence[Program],
    subject: Subject,
    predictions: Predictions,
    examples: np.ndarray,
) -> list[Explanations]:
    """Explains all points once and releases them through every defense.

    Args:
      explain: from `explain_program`, for a subject of these sizes.
      releases: from `release_program`, one for each defense.
      subject: what is audited.
      predictions: of the same subject.
      examples: int [examples], rows of points whose maps are kept.

    Returns:
      `Explanations` of each defense.
    """
    chunks = _Chunks(subject)

    def dispatch(rows: np.ndarray) -> list[tuple[jax.Array, ...]]:
        x, ids = chunks.put(subject.points.x[rows]), chunks.put(subject.points.ids[rows])
        explained, signal, membership = (
            chunks.put(a[:, rows], 1) for a in (predictions.explained, predictions.signal, subject.membership)
        )
        maps = explain(chunks.variables, x, ids, explained)
        return [release_chunk(maps, ids, signal, membership) for release_chunk in releases]

    def fetch(started: list[tuple[jax.Array, ...]], rows: np.ndarray, count: int) -> list[Explanations]:
        return [
            Explanations(
                np.asarray(log_l1)[:, :count],
                np.asarray(change)[:count],
                int(np.asarray(bad)[:, :count].sum()),
                *chunks.split(found, rows),
                np.asarray(shown)[:count][np.isin(rows, examples)],
            )
            for log_l1, bad, change, found, shown in started
        ]

    streamed = chunks.run(dispatch, fetch)
    return [_joined([parts[i] for parts in streamed]) for i in range(len(releases))]


def _joined(parts: list[Explanations]) -> Explanations:
    return Explanations(
        np.concatenate([part.log_l1 for part in parts], axis=1),
        np.concatenate([part.change for part in parts]),
        sum(part.non_finite for part in parts),
        np.concatenate([part.at_target for part in parts]),
        np.concatenate([part.at_calibrators for part in parts]),
        np.concatenate([part.examples for part in parts]),
    )
