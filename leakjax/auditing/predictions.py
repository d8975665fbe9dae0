"""Predict, a chunk of points at a time, and reduce to what an attack needs of the predictions."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import likelihood, ratios, signals
from leakjax.attack.combine import Roles
from leakjax.auditing.chunks import Chunks, Program, compiled
from leakjax.auditing.subject import Subject


class Predictions(NamedTuple):
    """What the predictions of all models on all points say.

    Attributes:
      signal: [models, points], the log-odds of the class that the attacker looks at; explanations are
        conditioned on it.
      explained: int32 [models, points], the class that is explained.
      correct: bool [models, points].
      loss: [targets, points].
      confidence: [targets, points], the log-odds of the predicted class.
      ratios: `Roles`, marginal.
    """

    signal: Any
    explained: Any
    correct: Any
    loss: Any
    confidence: Any
    ratios: Any


_AXES = Predictions(signal=1, explained=1, correct=1, loss=1, confidence=1, ratios=Roles(2, 2))


def predict_program(subject: Subject) -> Program:
    """Compiles the prediction of a chunk by all models, reduced to what an attack needs.

    Args:
      subject: what is audited; its variables and membership are arguments of the program.

    Returns:
      program(variables, x, y, membership) -> `Predictions` of a chunk, for `stream_predictions`.
    """
    targets, calibrators = jnp.asarray(subject.targets), subject.design.calibrators
    explains_truth = subject.explained_class == "true"

    def chunk(variables: Any, x: jax.Array, y: jax.Array, membership: jax.Array) -> Predictions:
        def one(own: Any, x: jax.Array, y: jax.Array) -> tuple[Predictions, jax.Array]:
            logits = subject.logits_fn(own, x)
            predicted = jnp.argmax(logits)
            answer = Predictions(
                signal=signals.logit_confidence(logits, y if subject.label_known else predicted),
                explained=(y if explains_truth else predicted).astype(jnp.int32),
                correct=predicted == y,
                loss=signals.cross_entropy(logits, y),
                confidence=signals.logit_confidence(logits, predicted),
                ratios=None,
            )
            return answer, jax.nn.log_softmax(logits)

        over_points = jax.vmap(one, in_axes=(None, 0, 0))
        answers, logs = jax.vmap(over_points, in_axes=(0, None, None))(variables, x, y)

        def at_point(signal: jax.Array, logs: jax.Array, membership: jax.Array) -> Roles:
            of_signal = likelihood.prediction_ratios(signal[:, None], membership, calibrators)
            of_vector = ratios.ratios(logs, membership, signal, calibrators).marginal
            return likelihood.in_roles(jnp.concatenate([of_signal, of_vector[None]]), targets)

        return answers._replace(
            loss=answers.loss[targets],
            confidence=answers.confidence[targets],
            ratios=jax.vmap(at_point, in_axes=1, out_axes=2)(answers.signal, logs, membership),
        )

    return compiled(chunk, (None, 0, 0, 1), _AXES)


def stream_predictions(program: Program, subject: Subject) -> Predictions:
    """Runs a program of `predict_program` over all points.

    Args:
      program: compiled for a subject of these sizes.
      subject: what is audited.

    Returns:
      `Predictions`.
    """
    chunks, design = Chunks(subject), subject.design

    def dispatch(rows: np.ndarray) -> Predictions:
        x, y = chunks.put(subject.points.x[rows]), chunks.put(subject.points.y[rows])
        return program(chunks.variables, x, y, chunks.put(subject.membership[:, rows], 1))

    def keep(found: Predictions, rows: np.ndarray) -> Predictions:
        return found._replace(ratios=design.keep(found.ratios, rows))

    return chunks.run(dispatch, _AXES, keep)
