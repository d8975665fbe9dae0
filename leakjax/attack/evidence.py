"""Per-example likelihood ratios over any observation, with the attacked model's membership withheld exactly.

For one point, let the observations of the models that trained on it be Gaussian around an in-mean, those of the
others around an out-mean, with one covariance. The log-likelihood ratio of an observation a is then bilinear,

    d . (a - middle),    d = in-mean - out-mean,    middle = (in-mean + out-mean) / 2,

in the metric of that covariance: LiRA with pooled variance where the observation is one number, a matched filter
where it is a whole attribution map. `evidence` computes this number for many attacked models at once. For a
target t it uses the membership of every model but t; for a calibrator c of that target (a shadow model in the
role of the target) every model but t and c. Every mean is a linear combination of the observations, and so is the
regression on the prediction, so all of these ratios are small quadratic forms in four vectors: the sums over the
members, the sum weighted by the prediction, the observation of t and that of c. Nothing is refitted in a loop and
nothing of size models x models x features exists.

Conditional on the prediction, the observation is first regressed on a prediction signal (within the two groups,
per feature of this point), so that what the prediction already says does not count again.
"""

import jax
import jax.numpy as jnp
import numpy as np

# Of the variance that a feature is divided by, the share taken from the mean over the map's features: a feature's
# own variance over some 60 models is known to 20 % only, and may be zero.
_SHRINKAGE = 0.2
_TINY = 1e-12
MARGINAL, CONDITIONAL = 0, 1


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


def standardise(observations: jax.Array) -> jax.Array:
    """Centres over the models and divides each feature by its standard deviation, shrunk towards the map's.

    The models' membership plays no part in it, so nothing of the target's leaks into its own score here.

    Args:
      observations: [models, features] of one point.

    Returns:
      [models, features]; zeros where all models agree.
    """
    centred = observations - observations.mean(axis=0, keepdims=True)
    variance = jnp.mean(centred**2, axis=0, keepdims=True)
    overall = variance.mean()
    return centred / jnp.sqrt((1 - _SHRINKAGE) * variance + _SHRINKAGE * overall + _TINY)


def evidence(
    observations: jax.Array, member: jax.Array, prediction: jax.Array, scored: np.ndarray | jax.Array
) -> jax.Array:
    """The log-likelihood ratio "member over non-member" of each scored model at one point, up to a common scale.

    Args:
      observations: [models, features] of one point, e.g. flattened attribution maps, or one scalar signal each.
      member: bool [models], who trained on the point; row t plays no part in what is said of target t.
      prediction: [models], the prediction signal to condition on.
      scored: int [targets, 1 + calibrators], from `pairs`.

    Returns:
      [2, targets, 1 + calibrators]: marginal, and conditional on the prediction. Where a group is empty the
      value means nothing (see `likelihood.enough_shadows`).
    """
    scored = jnp.asarray(scored)
    maps = standardise(observations)
    inside = member.astype(maps.dtype)
    prediction = prediction - prediction.mean()
    target = jnp.broadcast_to(scored[:, :1], scored.shape)
    second = (scored != target).astype(maps.dtype)

    def excluded(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        # The weights that the target and the calibrator would have had.
        return weights[target], second * weights[scored]

    def total(weights: jax.Array) -> jax.Array:
        at_target, at_second = excluded(weights)
        return weights.sum() - at_target - at_second

    outside = 1 - inside
    n_in, n_out = jnp.maximum(total(inside), 1), jnp.maximum(total(outside), 1)
    phi_in, phi_out = total(inside * prediction) / n_in, total(outside * prediction) / n_out

    # Linear combinations of observations, as four coefficients: on the sum over members, the sum weighted by the
    # prediction, the target's observation, the calibrator's. Observations are centred, so that their sum over
    # non-members is minus that over members.
    zero, one = jnp.zeros_like(second), jnp.ones_like(second)
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
    phi_answer = prediction[scored] - (phi_in + phi_out) / 2
    gram = _gram(maps @ maps.T, inside, prediction, scored)
    marginal = _bilinear(difference, gram, deviation)
    conditional = _bilinear(
        [d - (phi_in - phi_out) * s for d, s in zip(difference, slope, strict=True)],
        gram,
        [d - phi_answer * s for d, s in zip(deviation, slope, strict=True)],
    )
    return jnp.stack([marginal, conditional])


def _divided(coefficients: list[jax.Array], by: jax.Array) -> list[jax.Array]:
    return [coefficient / by for coefficient in coefficients]


def _bilinear(left: list[jax.Array], gram: list[list[jax.Array]], right: list[jax.Array]) -> jax.Array:
    # Written out, entry by entry: XLA makes one loop of it, where 4 x 4 products would be slow.
    return sum((left[i] * gram[i][j] * right[j] for i in range(4) for j in range(4)), jnp.zeros_like(left[0]))


def _gram(
    products: jax.Array, inside: jax.Array, prediction: jax.Array, scored: jax.Array
) -> list[list[jax.Array]]:
    """Inner products of the four basis vectors, for every scored model: 4 x 4 of [targets, 1 + calibrators]."""
    target = jnp.broadcast_to(scored[:, :1], scored.shape)
    own, cross = jnp.diagonal(products), products[target, scored]
    members, weighted = products @ inside, products @ prediction
    like = jnp.ones_like(cross)
    both = inside @ weighted * like
    return [
        [inside @ members * like, both, members[target], members[scored]],
        [both, prediction @ weighted * like, weighted[target], weighted[scored]],
        [members[target], weighted[target], own[target], cross],
        [members[scored], weighted[scored], cross, own[scored]],
    ]
