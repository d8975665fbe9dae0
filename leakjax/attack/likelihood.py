"""The per-example likelihood-ratio attack (LiRA, online) on arrays of signals, measured here or by another tool.

Source: Carlini et al. (arXiv 2112.03570), algorithm 1 with pooled variance; here each model in turn may be the
target, the explanation is weighed against the prediction, and weights are learned on shadows (see `combine`).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import combine, ratios
from leakjax.attack.combine import Roles
from leakjax.attack.ratios import Ratios
from leakjax.data import evenly_spaced

# Every point needs this many in- and this many out-models among the shadows.
LEAST_GROUP = 2
# Shadows in the role of each target, and points on which weights are learned: some 4,000 samples for few weights.
CALIBRATORS = 4
CALIBRATION_POINTS = 1024
CHUNK = 4096  # points whose ratios `lira` holds at a time


class Design(NamedTuple):
    """Who is attacked, and what the attacker's weights are learned on.

    Attributes:
      targets: int [targets], indices of the attacked models.
      calibrators: how many shadows stand in the role of each target.
      calibration_points: int [calibration points], positions among the audited points, evenly spaced.
    """

    targets: np.ndarray
    calibrators: int
    calibration_points: np.ndarray

    @classmethod
    def of(cls, models: int, points: int, targets: np.ndarray) -> "Design":
        """The design of an attack on `targets`, chosen from the sizes alone.

        Args:
          models: how many there are, targets and shadows together.
          points: how many are audited.
          targets: int [targets], indices of the attacked models.
        """
        rows = evenly_spaced(min(points, CALIBRATION_POINTS), points)
        return cls(np.asarray(targets), min(CALIBRATORS, models - 1), rows)

    def scored(self, models: int) -> np.ndarray:
        """Each target and its calibrators: int [targets, 1 + calibrators]."""
        return ratios.pairs(models, self.targets, self.calibrators)

    def keep(self, chunk: Any, rows: np.ndarray) -> Any:
        """What the attack needs of a chunk of points: of the calibrators, the calibration points alone.

        Args:
          chunk: a tree of `Roles`, whose calibrators hold all points of the chunk.
          rows: int [points of the chunk], their positions among the audited points.

        Returns:
          The same tree, as arrays on the host.
        """
        wanted = np.isin(rows, self.calibration_points)
        few = lambda roles: Roles(np.asarray(roles.target), np.asarray(roles.calibrators)[:, :, wanted])
        return jax.tree.map(few, chunk, is_leaf=lambda part: isinstance(part, Roles))


def signal_ratios(
    signals: jax.Array, membership: jax.Array, prediction: jax.Array, calibrators: int
) -> Ratios:
    """The ratios of each signal at one point.

    Args:
      signals: [models, signals].
      membership: bool [models].
      prediction: [models], the signal to condition on.
      calibrators: see `ratios`.

    Returns:
      `Ratios` of arrays [signals, models, 1 + calibrators].
    """
    one = lambda signal: ratios.ratios(signal[:, None], membership, prediction, calibrators)
    return jax.vmap(one, in_axes=1)(signals)


def prediction_ratios(signals: jax.Array, membership: jax.Array, calibrators: int) -> jax.Array:
    """The marginal ratios of a prediction's signals at one point, of the first also in units of its own variance.

    Args:
      signals: [models, signals].
      membership: bool [models].
      calibrators: see `ratios`.

    Returns:
      [signals + 1, models, 1 + calibrators].
    """
    plain = signal_ratios(signals, membership, signals[:, 0], calibrators).marginal
    scaled = ratios.scaled_ratio(signals[:, 0], membership, calibrators)
    return jnp.concatenate([plain, scaled[None]])


def in_roles(found: Any, targets: jax.Array) -> Any:
    """Orders the ratios at one point by target.

    Args:
      found: [signals, models, 1 + calibrators], or `Ratios` of such arrays.
      targets: int [targets].

    Returns:
      `Roles`, or `Ratios` of them, without the axis of points: that is their axis 2, where a caller maps over points.
    """

    def roles(array: jax.Array) -> Roles:
        by_target = array[:, targets].swapaxes(0, 1)
        return Roles(by_target[..., 0], by_target[..., 1:])

    return jax.tree.map(roles, found)


def enough_shadows(membership: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Whether a ratio rests on enough in- and out-models; the target and the calibrator are not among them.

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


def labels(membership: np.ndarray, design: Design) -> combine.Labels:
    """The calibrators' membership, in the order of `Roles.calibrators`."""
    few = membership[:, design.calibration_points]
    scored = design.scored(len(membership))
    valid = enough_shadows(few, scored)[:, 1:]
    truth = few[scored[:, 1:]]
    return combine.Labels(jnp.asarray(truth.swapaxes(1, 2)), jnp.asarray(valid.swapaxes(1, 2)))


def lira(
    prediction: np.ndarray,
    explanation: np.ndarray,
    membership: np.ndarray,
    *,
    targets: np.ndarray | None = None,
) -> tuple[combine.Scores, np.ndarray]:
    """Attacks each target with the other models as its shadows, over signals that the caller measured.

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
    design = Design.of(models, points, np.arange(models) if targets is None else np.asarray(targets))

    def chunks(of_chunk: Callable[..., Any], *arrays: np.ndarray) -> Any:
        found = []
        for start in range(0, points, CHUNK):
            rows = np.arange(start, min(start + CHUNK, points))
            started = of_chunk(*(array[:, rows] for array in arrays), design.targets, design.calibrators)
            found.append(design.keep(started, rows))
        return jax.tree.map(lambda *parts: np.concatenate(parts, axis=2), *found)

    of_prediction = chunks(_of_predictions, prediction, membership)
    of_explanation = chunks(_of_explanations, explanation, membership, prediction[..., 0])
    scores = combine.scores(of_prediction, of_explanation, labels(membership, design))
    return scores, enough_shadows(membership, design.scored(models)[:, :1])[:, 0]


@functools.partial(jax.jit, static_argnums=3)
def _of_predictions(signals: jax.Array, membership: jax.Array, targets: jax.Array, calibrators: int) -> Roles:
    at_point = lambda s, inside: in_roles(prediction_ratios(s, inside, calibrators), targets)
    return jax.vmap(at_point, in_axes=1, out_axes=2)(signals, membership)


@functools.partial(jax.jit, static_argnums=4)
def _of_explanations(
    signals: jax.Array, membership: jax.Array, prediction: jax.Array, targets: jax.Array, calibrators: int
) -> Ratios:
    at_point = lambda s, inside, p: in_roles(signal_ratios(s, inside, p, calibrators), targets)
    return jax.vmap(at_point, in_axes=1, out_axes=2)(signals, membership, prediction)
