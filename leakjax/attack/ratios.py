"""Per-example likelihood ratios of a signal or a whole map, the attacked model's membership withheld exactly.

For one point, let the answers of the models that trained on it be Gaussian around an in-mean, those of the
others around an out-mean, with one covariance. The log-likelihood ratio of an answer a is then bilinear,

    d . (a - middle),    d = in-mean - out-mean,    middle = (in-mean + out-mean) / 2,

in the metric of that covariance: LiRA with pooled variance where the answer is one signal, a matched filter
where it is a whole attribution map. `ratios` computes this number for many attacked models at once. For a
target t it uses the membership of every model but t; for a calibrator c of that target (a shadow model in the
role of the target) every model but t and c. Every mean is a linear combination of the answers, and so is the
regression on the prediction, so all of these ratios are small quadratic forms in four vectors: the sums over the
members, the sum weighted by the prediction, the answer of t and that of c. Nothing is refitted in a loop and
nothing of size models x models x features exists.

Conditional on the prediction, the answer is first regressed on a prediction signal (within the two groups,
per feature of this point), so that what the prediction already says does not count again.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Of the variance that a feature is divided by, the share taken from the mean over the map's features: a feature's
# own variance over some 60 models is known to 20 % only, and may be zero.
_SHRINKAGE = 0.2
_TINY = 1e-12


class Ratios(NamedTuple):
    """Log-likelihood ratios "member over non-member", or what is made of them, for each of the two alike.

    Attributes:
      marginal: of the signal or map alone.
      conditional: of what is left of it given the prediction.
    """

    marginal: Any
    conditional: Any


def pairs(models: int, targets: np.ndarray, calibrators: int) -> np.ndarray:
    """Which models are scored for each target: the target itself, then its calibrators.

    Args:
      models: how many models there are.
      targets: int [targets], indices of the attacked models.
      calibrators: shadows in the role of the target, at most models - 1.

    Returns:
      int [targets, 1 + calibrators]; the first column is `targets`, the others the models that follow it, cyclically.
    """
    return (np.asarray(targets)[:, None] + np.arange(1 + calibrators)[None]) % models


def standardise(maps: jax.Array) -> jax.Array:
    """Centres over the models and divides each feature by its standard deviation, shrunk towards the map's.

    The models' membership plays no part in it, so nothing of the target's leaks into its own score here.

    Args:
      maps: [models, features] of one point.

    Returns:
      [models, features]; zeros where all models agree.
    """
    centred = maps - maps.mean(axis=0, keepdims=True)
    variance = jnp.mean(centred**2, axis=0, keepdims=True)
    overall = variance.mean()
    return centred / jnp.sqrt((1 - _SHRINKAGE) * variance + _SHRINKAGE * overall + _TINY)


def ratios(maps: jax.Array, membership: jax.Array, prediction: jax.Array, calibrators: int) -> Ratios:
    """The log-likelihood ratio "member over non-member" of every model and its calibrators at one point.

    Args:
      maps: [models, features] of one point: flattened attribution maps, or one signal each.
      membership: bool [models], who trained on the point; row t plays no part in what is said with t as the target.
      prediction: [models], the prediction signal to condition on.
      calibrators: how many shadows stand in the role of each target; static.

    Returns:
      `Ratios` of arrays [models, 1 + calibrators], up to a common scale. Row t is for t as the target, its columns
      are the models of `pairs`. Where a group is empty the value means nothing (see `likelihood.enough_shadows`).
    """
    maps = standardise(maps)
    inside = membership.astype(maps.dtype)
    outside = 1 - inside
    prediction = prediction - prediction.mean()
    scored = lambda of_models: _scored(of_models, calibrators)
    excluded = lambda weights: _excluded(weights, calibrators)
    total = lambda weights: _total(weights, calibrators)
    one = jnp.ones((len(maps), 1 + calibrators), maps.dtype)
    zero = 0 * one

    n_in, n_out = jnp.maximum(total(inside), 1), jnp.maximum(total(outside), 1)
    phi_in, phi_out = total(inside * prediction) / n_in, total(outside * prediction) / n_out

    # Linear combinations of maps, as four coefficients: on the sum over members, the sum weighted by the prediction,
    # the target's map, the calibrator's. Maps are centred, so that their sum over non-members is minus that over
    # members.
    mean_in = _divided([one, zero, *(-w for w in excluded(inside))], n_in)
    mean_out = _divided([-one, zero, *(-w for w in excluded(outside))], n_out)
    residual = [zero, one, *(-w for w in excluded(prediction))]
    squares = total(prediction**2) - n_in * phi_in**2 - n_out * phi_out**2
    slope = _divided(
        [
            r - phi_in * n_in * i - phi_out * n_out * o
            for r, i, o in zip(residual, mean_in, mean_out, strict=True)
        ],
        squares + _TINY,
    )
    answer = [zero, zero, zero, one]
    difference = [i - o for i, o in zip(mean_in, mean_out, strict=True)]
    deviation = [a - (i + o) / 2 for a, i, o in zip(answer, mean_in, mean_out, strict=True)]
    phi_answer = scored(prediction) - (phi_in + phi_out) / 2

    # Inner products of the four vectors that those coefficients belong to.
    of_members, of_weighted = inside @ maps, prediction @ maps
    members, weighted = maps @ of_members, maps @ of_weighted
    own = jnp.sum(maps**2, axis=1)
    products = [jnp.sum(maps * jnp.roll(maps, -step, axis=0), axis=1) for step in range(1 + calibrators)]
    cross = jnp.stack(products, axis=1)
    both = of_members @ of_weighted * one
    gram = [
        [of_members @ of_members * one, both, members[:, None] * one, scored(members)],
        [both, of_weighted @ of_weighted * one, weighted[:, None] * one, scored(weighted)],
        [members[:, None] * one, weighted[:, None] * one, own[:, None] * one, cross],
        [scored(members), scored(weighted), cross, scored(own)],
    ]
    marginal = _bilinear(difference, gram, deviation)
    conditional = _bilinear(
        [d - (phi_in - phi_out) * s for d, s in zip(difference, slope, strict=True)],
        gram,
        [d - phi_answer * s for d, s in zip(deviation, slope, strict=True)],
    )
    return Ratios(marginal, conditional)


def scaled_ratio(signal: jax.Array, membership: jax.Array, calibrators: int) -> jax.Array:
    """The log-likelihood ratio of a signal in units of its own variance at this point, as LiRA with many shadows.

    `ratios` of a signal is right where its variance is the same at all points, this where it is not; an attacker
    has both. Without this one the prediction looks weaker than it is, and the conditional ratios of an
    explanation, whose slope holds the same variance, would be credited with the difference.

    Args:
      signal: [models].
      membership: bool [models].
      calibrators: see `ratios`.

    Returns:
      [models, 1 + calibrators].
    """
    signal = signal - signal.mean()
    total = lambda weights: _total(weights, calibrators)
    inside = membership.astype(signal.dtype)
    n_in, n_out = jnp.maximum(total(inside), 1), jnp.maximum(total(1 - inside), 1)
    mean_in, mean_out = total(inside * signal) / n_in, total((1 - inside) * signal) / n_out
    squares = total(signal**2) - n_in * mean_in**2 - n_out * mean_out**2
    deviation = _scored(signal, calibrators) - (mean_in + mean_out) / 2
    return (mean_in - mean_out) * deviation * (n_in + n_out) / (squares + _TINY)


def _scored(of_models: jax.Array, calibrators: int) -> jax.Array:
    """What [models] hold at each target and its calibrators: [models, 1 + calibrators]."""
    # The models of `pairs` follow each other: rolling is far cheaper than a gather.
    return jnp.stack([jnp.roll(of_models, -step) for step in range(1 + calibrators)], axis=1)


def _excluded(weights: jax.Array, calibrators: int) -> tuple[jax.Array, jax.Array]:
    """The weights [models] that the target and the calibrator would have had, each [models, 1 + calibrators]."""
    of_scored = _scored(weights, calibrators)
    # A target that scores itself is left out once, not twice.
    second = jnp.asarray([[float(step > 0) for step in range(1 + calibrators)]], weights.dtype)
    return jnp.broadcast_to(weights[:, None], of_scored.shape), second * of_scored


def _total(weights: jax.Array, calibrators: int) -> jax.Array:
    """The sum of weights [models] without the target's and the calibrator's: [models, 1 + calibrators]."""
    at_target, at_second = _excluded(weights, calibrators)
    return weights.sum() - at_target - at_second


def _divided(coefficients: list[jax.Array], by: jax.Array) -> list[jax.Array]:
    return [coefficient / by for coefficient in coefficients]


def _bilinear(left: list[jax.Array], gram: list[list[jax.Array]], right: list[jax.Array]) -> jax.Array:
    # Written out, entry by entry: XLA makes one loop of it, where 4 x 4 products would be slow.
    return sum((left[i] * gram[i][j] * right[j] for i in range(4) for j in range(4)), jnp.zeros_like(left[0]))
