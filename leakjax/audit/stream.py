"""Explain, defend and reduce to evidence, a chunk of points at a time, in one compiled program.

For a chunk, all models explain all of its points, every defense is applied to the same explanations, and what an
attack needs of them is reduced to a few numbers for each model and point before anything leaves the device. No
array of models x points x features ever exists; what returns to the host is of size targets x points.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import evidence as ev
from leakjax.attack import likelihood, signals
from leakjax.audit.subject import Subject
from leakjax.defend import Defense, release
from leakjax.evaluate import utility
from leakjax.explain import Explainer

# Attribution values that a chunk holds at once, for all models and points of it.
_CHUNK_VALUES = 2**20
_LARGEST_CHUNK = 256
# What hardening changes is measured on so many targets: their mean hardly varies with more.
_UTILITY_TARGETS = 8
MEASURES = ("cosine", "top_overlap", "relative_change")
# Stages of a key that was folded with a model's and a point's id.
_EXPLAIN, _DEFEND = 0, 1


class Predictions(NamedTuple):
    """What the predictions of all models on all points say.

    Attributes:
      signal: [models, points], the log-odds of the class that the attacker looks at; explanations are conditioned on it.
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
    return min(_LARGEST_CHUNK, 2 ** (most.bit_length() - 1))


def spread_models(variables: Any) -> Any:
    """Splits the models over the local devices, as many of them as divide the models evenly."""
    models = len(jax.tree.leaves(variables)[0])
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if models % n == 0)
    mesh = jax.sharding.Mesh(np.array(devices[:count]), ("models",))
    return jax.device_put(variables, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("models")))


def _chunks(subject: Subject) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of each chunk, padded by the first ones to one size, and how many of them count."""
    points = len(subject.points.x)
    size = min(chunk_size(subject.models, int(np.prod(subject.points.x.shape[1:]))), points)
    for start in range(0, points, size):
        yield np.arange(start, start + size) % points, min(size, points - start)


class _Evidence:
    """Collects evidence from chunks: all of it at the calibration points, the targets' alone elsewhere."""

    def __init__(self, subject: Subject) -> None:
        self._wanted = np.zeros(len(subject.points.x), bool)
        self._wanted[subject.design.calibration_points] = True
        self._targets: list[np.ndarray] = []
        self._calibrators: list[np.ndarray] = []

    def add(self, rows: np.ndarray, evidence: jax.Array) -> None:
        values = np.asarray(evidence)[: len(rows)]
        self._targets.append(values[..., 0].copy())
        self._calibrators.append(values[self._wanted[rows]][..., 1:])

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate(self._targets), np.concatenate(self._calibrators)


Program = Callable[..., Any]


def predict_program(subject: Subject) -> Program:
    """Compiles the prediction of a chunk by all models, reduced to what an attack needs.

    Args:
      subject: what is audited; its variables and membership are arguments of the program.

    Returns:
      program(variables, x, y, member), for `stream_predictions`.
    """
    scored, targets = subject.design.scored, jnp.asarray(subject.targets)

    @jax.jit
    def program(variables: Any, x: jax.Array, y: jax.Array, member: jax.Array) -> tuple[Any, ...]:
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
        signal, explained, correct, loss, confidence, logs = jax.vmap(over_points, (0, None, None))(variables, x, y)

        def at_point(signal: jax.Array, logs: jax.Array, member: jax.Array) -> jax.Array:
            return jnp.stack([ev.evidence(o, member, signal, scored) for o in (signal[:, None], logs)])

        evidence = jax.vmap(at_point, in_axes=1)(signal, logs, member)
        return signal, explained, correct, loss[targets], confidence[targets], evidence

    return program


def stream_predictions(program: Program, subject: Subject) -> Predictions:
    """Runs a program of `predict_program` over all points.

    Args:
      program: compiled for a subject of these sizes.
      subject: what is audited.

    Returns:
      `Predictions`.
    """
    variables = spread_models(subject.variables)
    columns: list[list[np.ndarray]] = [[] for _ in range(5)]
    collected = _Evidence(subject)
    for rows, count in _chunks(subject):
        *arrays, evidence = program(
            variables, subject.points.x[rows], subject.points.y[rows], subject.member[:, rows]
        )
        for column, array in zip(columns, arrays, strict=True):
            column.append(np.asarray(array)[:, :count])
        collected.add(rows[:count], evidence)
    return Predictions(*(np.concatenate(column, axis=1) for column in columns), *collected.all())


def explain_program(
    subject: Subject, explainer: Explainer, defenses: Sequence[Defense], *, placebo: bool = False
) -> Program:
    """Compiles what is done to a chunk: all models explain its points, every defense is applied, all is reduced.

    Args:
      subject: what is audited; its variables and membership are arguments of the program.
      explainer: of one example.
      defenses: each is applied to the same explanations.
      placebo: permute each point's released explanations over the models, so that they cannot tell a member.

    Returns:
      program(variables, x, ids, explained, signal, member), for `stream_explanations`.
    """
    scored, targets = subject.design.scored, jnp.asarray(subject.targets)
    model_ids = jnp.asarray(subject.model_ids)

    def key_of(model_id: jax.Array, point_id: jax.Array, stage: int) -> jax.Array:
        return jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(subject.key, model_id), point_id), stage)

    def over_models_and_points(function: Callable[..., Any], per_model: tuple[int | None, ...]) -> Callable[..., Any]:
        # Arguments: the models' own, the points' own, then arrays [models, points, ...].
        return jax.vmap(jax.vmap(function, in_axes=per_model), in_axes=(0, 0, None, None, 0))

    def reduce(released: jax.Array, signal: jax.Array, member: jax.Array, ids: jax.Array) -> tuple[jax.Array, ...]:
        finite = jnp.all(jnp.isfinite(released.reshape(*signal.shape, -1)), axis=-1)
        shape = (*signal.shape, *(1,) * (released.ndim - 2))
        released = jnp.where(finite.reshape(shape), released, 0.0)
        if placebo:
            released = _permute_over_models(released, subject.key, ids)
        scalars = jax.vmap(jax.vmap(signals.attribution_signals))(released)

        def at_point(released: jax.Array, scalars: jax.Array, signal: jax.Array, member: jax.Array) -> jax.Array:
            of_map = ev.evidence(released.reshape(len(released), -1), member, signal, scored)
            of_scalars = likelihood.signal_evidence(scalars, member, signal, scored)
            return jnp.concatenate([of_scalars, of_map[None]])

        evidence = jax.vmap(at_point, in_axes=1)(released, scalars, signal, member)
        return released, scalars[targets, :, 0], ~finite, evidence

    def mean_change(maps: jax.Array, released: jax.Array) -> jax.Array:
        few = targets[:_UTILITY_TARGETS]
        measured = [jax.vmap(jax.vmap(utility.MEASURES[name]))(maps[few], released[few]) for name in MEASURES]
        return jnp.stack([values.mean(axis=0) for values in measured], -1)

    @jax.jit
    def program(
        variables: Any, x: jax.Array, ids: jax.Array, explained: jax.Array, signal: jax.Array, member: jax.Array
    ) -> list[tuple[jax.Array, ...]]:
        def explain(own: Any, model_id: jax.Array, x: jax.Array, point_id: jax.Array, target: jax.Array) -> jax.Array:
            return explainer(own, x, target, key=key_of(model_id, point_id, _EXPLAIN))

        maps = over_models_and_points(explain, (None, None, 0, 0, 0))(variables, model_ids, x, ids, explained)
        results = []
        for defense in defenses:

            def defend(_: Any, model_id: jax.Array, x: jax.Array, point_id: jax.Array, plain: jax.Array) -> jax.Array:
                return release(defense, plain, key=key_of(model_id, point_id, _DEFEND))

            released = over_models_and_points(defend, (None, None, 0, 0, 0))(variables, model_ids, x, ids, maps)
            released, log_l1, bad, evidence = reduce(released, signal, member, ids)
            results.append((log_l1, bad, mean_change(maps, released), evidence, released[targets[0]]))
        return results

    return program


def _permute_over_models(maps: jax.Array, key: jax.Array, ids: jax.Array) -> jax.Array:
    """Permutes [models, points, ...] over the models, each point by a permutation of its own."""
    draws = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), (len(maps),)), out_axes=1)(ids)
    return maps[jnp.argsort(draws, axis=0), jnp.arange(len(ids))[None]]


def stream_explanations(
    program: Program, subject: Subject, predictions: Predictions, defenses: int, examples: np.ndarray
) -> list[Explanations]:
    """Runs a program of `explain_program` over all points.

    Args:
      program: compiled for this subject's sizes.
      subject: what is audited.
      predictions: of the same subject.
      defenses: how many defenses the program applies.
      examples: int [examples], rows of points whose maps are kept.

    Returns:
      `Explanations` of each defense.
    """
    variables = spread_models(subject.variables)
    collected = [_Evidence(subject) for _ in range(defenses)]
    parts: list[dict[str, list[Any]]] = [
        {"log_l1": [], "bad": [], "change": [], "examples": []} for _ in range(defenses)
    ]
    for rows, count in _chunks(subject):
        results = program(
            variables,
            subject.points.x[rows],
            subject.points.ids[rows],
            predictions.explained[:, rows],
            predictions.signal[:, rows],
            subject.member[:, rows],
        )
        kept = np.flatnonzero(np.isin(rows[:count], examples))
        for part, collector, (log_l1, bad, change, evidence, maps) in zip(parts, collected, results, strict=True):
            part["log_l1"].append(np.asarray(log_l1)[:, :count])
            part["bad"].append(np.asarray(bad)[:, :count].sum())
            part["change"].append(np.asarray(change)[:count])
            part["examples"].append(np.asarray(maps)[kept])
            collector.add(rows[:count], evidence)
    return [
        Explanations(
            np.concatenate(part["log_l1"], axis=1),
            np.concatenate(part["change"]),
            int(np.sum(part["bad"])),
            *collector.all(),
            np.concatenate(part["examples"]),
        )
        for part, collector in zip(parts, collected, strict=True)
    ]


