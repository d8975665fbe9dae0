"""From many log-likelihood ratios to one score a view, with every weight learned on shadow models.

The ratios of `ratios` are known up to scale, and some say nothing. Their weights come from a logistic regression
of membership on the ratios about calibrators: shadow models in the role of the target, whose membership the
attacker knows. A useless signal gets a weight near zero; a joint Gaussian would let it blur the others.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

from leakjax.attack.ratios import Ratios

# A prior of strength 1 against a weight far from zero, after scaling to unit variance.
_RIDGE = 1.0
_NEWTON_STEPS = 8


class Roles(NamedTuple):
    """The ratios of several signals about each target, and about the shadows that stand in its role.

    Attributes:
      target: [targets, signals, points].
      calibrators: [targets, signals, calibration points, calibrators].
    """

    target: Any
    calibrators: Any


class Labels(NamedTuple):
    """Membership of the calibrators, which the attacker knows.

    Attributes:
      membership: bool [targets, calibration points, calibrators].
      valid: bool, of the same shape: enough in- and out-models stood behind this sample.
    """

    membership: jax.Array
    valid: jax.Array


class Scores(NamedTuple):
    """One score a target and point, higher = member; each [targets, points].

    Attributes:
      prediction: from the prediction alone.
      explanation: from the explanation alone.
      both: the prediction's log-likelihood ratio plus `weight` times the explanation's given the prediction.
      weight: [targets], in [0, 1]: what the shadows say the explanation's ratio is worth beside the prediction's.
    """

    prediction: np.ndarray
    explanation: np.ndarray
    both: np.ndarray
    weight: np.ndarray


def logistic_weights(
    ratios: jax.Array, membership: jax.Array, valid: jax.Array, offset: jax.Array | float = 0.0
) -> jax.Array:
    """Ridge logistic regression of membership on ratios, without intercept (members are half of all).

    Args:
      ratios: [signals, samples].
      membership: bool [samples].
      valid: bool [samples]; the others weigh nothing.
      offset: [samples], a part of the log-odds that is known already.

    Returns:
      [signals]: weights that turn ratios into log-odds.
    """
    ratios = jnp.where(valid[None], ratios, 0.0)
    count = jnp.maximum(valid.sum(), 1)
    scale = jnp.sqrt(jnp.sum(ratios**2, axis=1) / count) + 1e-12
    features = ratios / scale[:, None]
    ridge = _RIDGE * jnp.eye(len(features), dtype=features.dtype)

    def newton(_: int, weights: jax.Array) -> jax.Array:
        chance = jax.nn.sigmoid(weights @ features + offset)
        gradient = features @ jnp.where(valid, chance - membership, 0.0) + _RIDGE * weights
        spread = jnp.where(valid, chance * (1 - chance), 0.0)
        curvature = (features * spread[None]) @ features.T + ridge
        return weights - jax.scipy.linalg.solve(curvature, gradient, assume_a="pos")

    return jax.lax.fori_loop(0, _NEWTON_STEPS, newton, jnp.zeros_like(scale)) / scale


def _score_target(prediction: Roles, explanation: Ratios, labels: Labels) -> tuple[jax.Array, ...]:
    """The fields of `Scores` for one target: every array without its leading axis."""
    membership, valid = (part.reshape(-1) for part in labels)
    of_calibrators = lambda roles: roles.calibrators.reshape(len(roles.calibrators), -1)
    marginal, conditional = explanation
    of_prediction = logistic_weights(of_calibrators(prediction), membership, valid)
    known = of_prediction @ of_calibrators(prediction)
    of_explanation = logistic_weights(of_calibrators(marginal), membership, valid)

    # The explanation's ratio is fitted on one half of the calibration samples, its worth on the other.
    first = jnp.arange(len(valid)) % 2 == 0
    given = logistic_weights(of_calibrators(conditional), membership, valid & first, known)
    extra = given @ of_calibrators(conditional)
    weight = logistic_weights(extra[None], membership, valid & ~first, known)[0]
    weight = jnp.clip(weight, 0.0, 1.0)

    base = of_prediction @ prediction.target
    both = base + weight * (given @ conditional.target)
    return base, of_explanation @ marginal.target, both, weight


_score_targets = jax.jit(jax.vmap(_score_target))


def scores(prediction: Roles, explanation: Ratios, labels: Labels) -> Scores:
    """The attacker's score of every target at every point, from the prediction, the explanation and both.

    Args:
      prediction: the marginal ratios of the prediction's signals.
      explanation: `Ratios` of `Roles`: of the explanation's signals, conditional on the prediction.
      labels: membership of the calibrators.

    Returns:
      `Scores`; the target's own membership has no part in any of them.
    """
    return Scores(*(np.asarray(part) for part in _score_targets(prediction, explanation, labels)))
