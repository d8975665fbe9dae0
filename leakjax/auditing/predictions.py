"""Predict, a chunk of points at a time, and reduce to what an attack needs of what each release shows."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import signals, stacked
from leakjax.attack.seen import codes_of_kind, seen
from leakjax.attack.stacked import Discrete, View
from leakjax.auditing.chunks import Chunks, Program, compiled
from leakjax.auditing.in_cache import at_all
from leakjax.auditing.subject import Subject
from leakjax.oracle import prediction_part


class Predictions(NamedTuple):
    """What the predictions of all models on all points say.

    Attributes:
      signal: [models, points], the log-odds of the true class, or where the attacker does not know it of the
        predicted one.
      explained: int32 [models, points], the class that is explained, or the first one of all that are.
      correct: bool [models, points].
      agrees: bool [models, points], whether the predicted class is the one that the attacker takes for the true one.
      confidence: [targets, points], the log-odds of the predicted class.
      reduced: by release, `stacked.Reduced`.
      kinds: by release, the kinds of each discrete answer, int [models, points].
    """

    signal: Any
    explained: Any
    correct: Any
    agrees: Any
    confidence: Any
    reduced: Any
    kinds: Any

    def view(self, release: str, classes: int) -> View:
        """What a release shows, for the attack. Args: release: its name. classes: of the model."""
        sizes = codes_of_kind(prediction_part(release), classes)
        # What is left of the codes are the counts; the kinds alone are compared between points.
        discrete = [Discrete(kind, kind, size) for kind, size in zip(self.kinds[release], sizes, strict=True)]
        return View(self.reduced[release], discrete)


def _axes(subject: Subject) -> Predictions:
    answers = {name: len(codes_of_kind(prediction_part(name), 2)) for name in subject.releases}
    return Predictions(
        signal=1,
        explained=1,
        correct=1,
        agrees=1,
        confidence=1,
        reduced={name: stacked.reduced_axes(count) for name, count in answers.items()},
        kinds={name: (1,) * count for name, count in answers.items()},
    )


def predict_program(subject: Subject) -> Program:
    """Compiles the prediction of a chunk by all models, reduced to what an attack needs.

    Args:
      subject: what is audited; its variables and membership are arguments of the program.

    Returns:
      program(variables, x, y, membership) -> `Predictions` of a chunk, for `stream_predictions`.
    """
    targets = jnp.asarray(subject.targets)
    pairs = subject.roles.pairs

    def chunk(variables: Any, x: jax.Array, y: jax.Array, membership: jax.Array) -> Predictions:
        logits = at_all(subject.logits_fn, (0, None), (None, 0))(variables, x)
        predicted = jnp.argmax(logits, axis=-1)
        truth = jnp.broadcast_to(y[None], predicted.shape)
        of_class = lambda classes: jax.vmap(jax.vmap(signals.logit_confidence))(logits, classes)
        confidence = of_class(predicted)
        shown = {
            name: seen(prediction_part(name), logits, y, label_known=subject.label_known)
            for name in subject.releases
        }
        label = seen(prediction_part("label"), logits, y, label_known=subject.label_known)
        return Predictions(
            signal=of_class(truth) if subject.label_known else confidence,
            explained=_explained(subject, predicted, truth).astype(jnp.int32),
            correct=predicted == truth,
            agrees=label.codes[1][0] == 0,
            confidence=confidence[targets],
            reduced={
                name: stacked.reduce_points(each.signals, each.vectors, each.codes, membership, pairs)
                for name, each in shown.items()
            },
            kinds={name: tuple(kind for _, kind in each.codes) for name, each in shown.items()},
        )

    return compiled(chunk, (None, 0, 0, 1), _axes(subject))


def _explained(subject: Subject, predicted: jax.Array, truth: jax.Array) -> jax.Array:
    """The class that each model explains at each point, the first of several: int [models, points].

    Args:
      subject: whose explained class it is.
      predicted: int [models, points].
      truth: int [models, points].
    """
    if subject.explained_class == "predicted":
        return predicted
    if subject.explained_class == "true":
        return truth
    votes = jax.nn.one_hot(predicted, subject.points.classes)
    if subject.explained_class == "reference":
        # No model has a say in the class of its own map, so that the map does not name what it predicts.
        return jnp.argmax(votes.sum(axis=0, keepdims=True) - votes, axis=-1)
    vote = jnp.broadcast_to(jnp.argmax(votes.sum(axis=0), axis=-1)[None], truth.shape)
    return truth if subject.label_known else vote


def stream_predictions(program: Program, subject: Subject) -> Predictions:
    """Runs a program of `predict_program` over all points.

    Args:
      program: compiled for a subject of these sizes.
      subject: what is audited.

    Returns:
      `Predictions`.
    """
    chunks = Chunks(subject)

    def dispatch(rows: np.ndarray) -> Predictions:
        x, y = chunks.put(subject.points.x[rows]), chunks.put(subject.points.y[rows])
        return program(chunks.variables, x, y, chunks.put(subject.membership[:, rows], 1))

    return chunks.run(dispatch, _axes(subject), lambda found, rows: found)
