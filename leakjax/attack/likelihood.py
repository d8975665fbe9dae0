"""The per-example likelihood-ratio attack (LiRA, online) on arrays of signals, measured here or by another tool.

Source: Carlini et al. (arXiv 2112.03570), algorithm 1 with pooled variance; here each model in turn may be the
target, the explanation is weighed against the prediction, and weights are learned on shadows (see `combine`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import combine, ratios

# Every point needs this many in- and this many out-models among the shadows.
LEAST_GROUP = 2
# Shadows in the role of each target, and points on which weights are learned: some 4,000 samples for few weights.
CALIBRATORS = 4
CALIBRATION_POINTS = 1024
_CHUNK = 4096  # points whose ratios `lira` holds at a time


class Design(NamedTuple):
    """Who is attacked, and what the attacker's weights are learned on.

    Attributes:
      targets: int [targets], indices of the attacked models.
      calibrators: how many shadows stand in the role of each target.
      calibration_points: int [calibration points], positions among the audited points, evenly spread.
    """

    targets: np.ndarray
    calibrators: int
    calibration_points: np.ndarray

    def scored(self, models: int) -> np.ndarray:
        """Each target and its calibrators: int [targets, 1 + calibrators]."""
        return ratios.pairs(models, self.targets, self.calibrators)


def design(models: int, points: int, targets: np.ndarray) -> Design:
    """The design of an attack on `targets`, chosen from the sizes alone.

    Args:
      models: how many there are, targets and shadows together.
      points: how many are audited.
      targets: int [targets], indices of the attacked models.

    Returns:
      A `Design`.
    """
    count = min(points, CALIBRATION_POINTS)
    return Design(np.asarray(targets), min(CALIBRATORS, models - 1), np.arange(count) * points // count)


def signal_ratios(
    signals: jax.Array, membership: jax.Array, prediction: jax.Array, calibrators: int
) -> jax.Array:
    """Terms of each scalar signal at one point.

    Args:
      signals: [models, signals].
      membership: bool [models].
      prediction: [models], the signal to condition on.
      calibrators: see `ratios`.

    Returns:
      [signals, 2, models, 1 + calibrators].
    """
    one = lambda signal: ratios.ratios(signal[:, None], membership, prediction, calibrators)
    return jax.vmap(one, in_axes=1)(signals)


def prediction_ratios(signals: jax.Array, membership: jax.Array, calibrators: int) -> jax.Array:
    """Terms of a prediction's scalar signals at one point, of the first also in units of its own variance.

    Args:
      signals: [models, signals].
      membership: bool [models].
      calibrators: see `ratios`.

    Returns:
      [signals + 1, 2, models, 1 + calibrators], of which the conditional half means nothing.
    """
    plain = signal_ratios(signals, membership, signals[:, 0], calibrators)
    scaled = ratios.scaled_ratio(signals[:, 0], membership, calibrators)
    return jnp.concatenate([plain, jnp.broadcast_to(scaled[None, None], (1, *plain.shape[1:]))])


def enough_shadows(membership: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Whether ratios rests on enough in- and out-models; the target and the calibrator are not among them.

    Args:
      membership: bool [models, points].
      scored: int [targets, 1 + calibrators].

    Returns:
      bool [targets, 1 + calibrators, points].
    """
    second = (scored != scored[:, :1])[..., None]

    def left(group: np.ndarray) -> np.ndarray:
        return group.sum(axis=0)[None, None] - group[scored[:, :1]] - second * group[scored]

    inside = membership.astype(np.int32)
    return np.minimum(left(inside), left(1 - inside)) >= LEAST_GROUP


def labels(membership: np.ndarray, plan: Design) -> combine.Labels:
    """The calibrators' membership, in the order of `split`'s calibration samples."""
    rows = membership[:, plan.calibration_points]
    scored = plan.scored(len(membership))
    valid = enough_shadows(rows, scored)[:, 1:]
    truth = rows[scored[:, 1:]]
    by_target = [jnp.asarray(part.swapaxes(1, 2).reshape(len(part), -1)) for part in (truth, valid)]
    return combine.Labels._make(by_target)


def split(target: np.ndarray, calibration: np.ndarray) -> tuple[combine.Terms, combine.Terms]:
    """Orders streamed ratios by target.

    Args:
      target: [points, signals, 2, targets], ratios about the targets.
      calibration: [calibration points, signals, 2, targets, calibrators], about the calibrators.

    Returns:
      (marginal, conditional) ratios.
    """
    by_target = np.transpose(target, (2, 3, 1, 0))
    by_sample = np.transpose(calibration, (2, 3, 1, 0, 4))
    by_sample = by_sample.reshape(*by_sample.shape[:3], -1)
    return (
        combine.Terms(by_target[ratios.MARGINAL], by_sample[ratios.MARGINAL]),
        combine.Terms(by_target[ratios.CONDITIONAL], by_sample[ratios.CONDITIONAL]),
    )


_of_signals = jax.jit(jax.vmap(signal_ratios, in_axes=(1, 1, 1, None)), static_argnums=3)
_of_predictions = jax.jit(jax.vmap(prediction_ratios, in_axes=(1, 1, None)), static_argnums=2)


def lira(
    prediction: np.ndarray,
    explanation: np.ndarray,
    membership: np.ndarray,
    *,
    targets: np.ndarray | None = None,
) -> tuple[combine.Scores, np.ndarray]:
    """Attacks each target with the other models as its shadows, over scalar signals.

    Args:
      prediction: [models, points, signals] of the predictions; the explanation is conditioned on the first.
      explanation: [models, points, signals] of the explanations.
      membership: bool [models, points]. A target's own row is withheld: flipping it changes none of its scores.
      targets: int [targets], indices of the attacked models; all when None.

    Returns:
      The scores [targets, points], higher = member, and bool [targets, points]: which of them rest on at least
      two in- and two out-models. The others mean nothing and are to be dropped and counted.

    Raises:
      UsageError: shapes that disagree, or fewer than 4 models.
    """
    models, points = membership.shape
    _validate.at_least("models", models, 4)
    _validate.same_shape("prediction", prediction.shape[:2], membership.shape, "membership")
    _validate.same_shape("explanation", explanation.shape[:2], membership.shape, "membership")
    plan = design(models, points, np.arange(models) if targets is None else np.asarray(targets))

    def ordered(fn: Callable[..., jax.Array], *signals: np.ndarray) -> tuple[combine.Terms, combine.Terms]:
        at_target, at_calibrators = [], []
        for start in range(0, points, _CHUNK):
            part = slice(start, start + _CHUNK)
            found = np.asarray(fn(*(signal[:, part] for signal in signals), plan.calibrators))
            inside = (plan.calibration_points >= start) & (plan.calibration_points < start + _CHUNK)
            at_target.append(found[..., plan.targets, 0])
            at_calibrators.append(found[plan.calibration_points[inside] - start][..., plan.targets, 1:])
        return split(np.concatenate(at_target), np.concatenate(at_calibrators))

    of_prediction, _ = ordered(_of_predictions, prediction, membership)
    marginal, conditional = ordered(_of_signals, explanation, membership, prediction[..., 0])
    result = combine.scores(of_prediction, marginal, conditional, labels(membership, plan))
    return result, enough_shadows(membership, plan.scored(models)[:, :1])[:, 0]
