"""What an attacker reads off the part of a prediction that a service shows: signals, vectors and discrete answers.

The baseline of every margin is made here, so it leaves nothing unread: the log-odds of the true and of the predicted
class, log p(1 - p), entropy, the margins of every class, correctness and the label itself, each where it is shown.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.oracle.release import PredictionPart, Shown, show

# The log-odds of every class are signals of their own where there are at most so many classes.
FEW_CLASSES = 12
# Kinds of a rounded confidence are told apart to one decimal.
_BINS = 11


class Seen(NamedTuple):
    """What is read off the predictions of all models at many points.

    Attributes:
      signals: [models, points, signals].
      vectors: each [models, points, ...].
      codes: (codes, kinds) of each discrete answer, int [models, points].
    """

    signals: jax.Array
    vectors: tuple[jax.Array, ...]
    codes: tuple[tuple[jax.Array, jax.Array], ...]


def codes_of_kind(part: PredictionPart, classes: int) -> tuple[np.ndarray, ...]:
    """Of each discrete answer of `seen`, how many codes share a kind: [kinds]."""
    by_label = np.array([1, max(1, classes - 1)])
    match part.kind:
        case "none":
            return ()
        case "confidence":
            return by_label, np.ones(2), np.repeat(by_label, _BINS), np.ones(2 * _BINS)
        case _:
            return by_label, np.ones(2)


def seen(part: PredictionPart, logits: jax.Array, label: jax.Array, *, label_known: bool = True) -> Seen:
    """Reads all that one prediction part says.

    Args:
      part: what is shown.
      logits: [models, points, classes]; only what `release.show` lets through is looked at.
      label: int [points], the true classes.
      label_known: whether the attacker knows them; if not, the models' vote stands in for them, beside the
        prediction and beside the explanation alike.

    Returns:
      `Seen`.
    """
    models, points, classes = logits.shape
    if part.kind == "none":
        return Seen(jnp.zeros((models, points, 0)), (), ())
    shown: Shown = jax.vmap(jax.vmap(lambda one: show(part, one)))(logits)
    predicted = jnp.argmax(shown.probabilities, axis=-1) if part.kind == "vector" else shown.classes[..., 0]
    if label_known:
        truth = jnp.broadcast_to(label[None], predicted.shape)
    else:
        votes = jax.nn.one_hot(predicted, classes).sum(axis=0)
        truth = jnp.broadcast_to(jnp.argmax(votes, axis=-1)[None], predicted.shape)
    wrong = (predicted != truth).astype(jnp.int32)
    codes = [(predicted, wrong), (wrong, wrong)]
    named = jax.nn.one_hot(predicted, classes)
    if part.kind == "label":
        return Seen(jnp.zeros((models, points, 0)), (named,), tuple(codes))
    if part.kind == "vector":
        logs = shown.probabilities
        signals = _vector_signals(logs, truth, predicted)
        finite = jnp.isfinite(logs)
        mean = jnp.sum(jnp.where(finite, logs, 0.0), axis=-1, keepdims=True) / classes
        return Seen(signals, (logs - mean,), tuple(codes))
    if part.kind == "confidence":
        half = 0.5 * 10.0**-part.number
        sure = jnp.clip(shown.probabilities[..., 0], half, 1 - half)
        odds = jnp.log(sure) - jnp.log1p(-sure)
        bins = jnp.round(shown.probabilities[..., 0] * (_BINS - 1)).astype(jnp.int32)
        kinds = wrong * _BINS + bins
        codes += [(predicted * _BINS + bins, kinds), (kinds, kinds)]
        # Whatever a filter of maps finds in an explanation that repeats the prediction, it finds here first.
        rounded = shown.probabilities[..., 0]
        scalars = [sign * each for each in (odds, rounded) for sign in (1, 1 - 2 * wrong)]
        vector = jnp.concatenate([named, rounded[..., None]], axis=-1)
        return Seen(jnp.stack(scalars, axis=-1), (vector,), tuple(codes))
    return Seen(_top_signals(shown, truth, classes), (), tuple(codes))


def _vector_signals(logs: jax.Array, truth: jax.Array, predicted: jax.Array) -> jax.Array:
    classes = logs.shape[-1]
    odds = _log_odds(logs)
    of = lambda number: jnp.take_along_axis(odds, number[..., None], axis=-1)[..., 0]
    true, sure = of(truth), of(predicted)
    entropy = -jnp.sum(jnp.where(jnp.isfinite(logs), jnp.exp(logs) * logs, 0.0), axis=-1)
    entropy = jnp.where(jnp.isnan(logs).any(axis=-1), jnp.nan, entropy)
    spread = -jax.nn.softplus(true) - jax.nn.softplus(-true)  # log p (1 - p)
    rest = odds if classes <= FEW_CLASSES else jax.lax.top_k(logs, 2)[0][..., 1:]
    return jnp.concatenate([jnp.stack([true, sure, entropy, spread], axis=-1), rest], axis=-1)


def _top_signals(shown: Shown, truth: jax.Array, classes: int) -> jax.Array:
    logs = jnp.log(shown.probabilities)
    is_truth = shown.classes == truth[..., None]
    left = jnp.maximum(1 - shown.probabilities.sum(axis=-1), 1e-7) / max(1, classes - shown.classes.shape[-1])
    of_truth = jnp.where(
        is_truth.any(axis=-1), jnp.sum(jnp.where(is_truth, shown.probabilities, 0), axis=-1), left
    )
    of_truth = jnp.clip(of_truth, 1e-7, 1 - 1e-7)
    odds = jnp.log(of_truth) - jnp.log1p(-of_truth)
    spread = jnp.log(of_truth) + jnp.log1p(-of_truth)
    return jnp.concatenate([jnp.stack([odds, spread], axis=-1), logs], axis=-1)


def _log_odds(logs: jax.Array) -> jax.Array:
    """log(p / (1 - p)) of every class from log-probabilities [..., classes], stable where p rounds to 0 or 1."""
    classes = logs.shape[-1]
    own = jnp.eye(classes, dtype=bool)
    others = jnp.where(own.reshape((1,) * (logs.ndim - 1) + own.shape), -jnp.inf, logs[..., None, :])
    return logs - jax.nn.logsumexp(others, axis=-1)
