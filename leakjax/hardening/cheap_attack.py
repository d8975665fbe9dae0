"""A membership attack that is cheap enough for hundreds of settings: two Gaussians a value, left-one-out, and weights.

It stands for the audit's attack while settings are compared and is never quoted: what is quoted is measured with the
audit's attack, refitted.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Prior weight of the variance over all values in that of one value, so that few models do not overfit.
_SHRINKAGE = 0.5
_RIDGE = 1.0
_STEPS = 8


class Leak(NamedTuple):
    """How many members are caught at 1 % false alarms, all models as targets.

    Attributes:
      label: by whether the released label is right.
      both: by label and explanation.
    """

    label: jax.Array
    both: jax.Array

    @property
    def excess(self) -> jax.Array:
        """What the explanation adds."""
        return self.both - self.label


def signals(maps: jax.Array, x: jax.Array) -> jax.Array:
    """Scalar signals of maps: their sum, product with the query, and logarithms of their norms.

    Args:
      maps: [models, points, ...].
      x: [points, ...].

    Returns:
      [models, points, signals]; the product is 0 where the shapes differ.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    log = lambda value: jnp.log(value + 1e-12)
    along = jnp.zeros(flat.shape[:2])
    if maps.shape[1:] == x.shape:
        along = jnp.einsum("mpf,pf->mp", flat, x.reshape(len(x), -1))
    return jnp.stack(
        [flat.sum(-1), along, log(jnp.abs(flat).sum(-1)), log(jnp.sqrt((flat**2).sum(-1)))], axis=-1
    )


def ratios(values: jax.Array, membership: jax.Array) -> jax.Array:
    """Log-likelihood ratios of every value of every model, by the other models.

    Args:
      values: [models, points, values].
      membership: bool [models, points].

    Returns:
      [models, points, values]: of Gaussians of one variance around the means of the other in- and out-models.
    """
    inside = membership[..., None].astype(values.dtype)
    values = values - values.mean(axis=0, keepdims=True)  # so that sums of squares do not cancel

    def others(weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        count = weight.sum(axis=0)[None] - weight
        total = (weight * values).sum(axis=0)[None] - weight * values
        squares = (weight * values**2).sum(axis=0)[None] - weight * values**2
        mean = total / jnp.maximum(count, 1)
        return mean, squares - count * mean**2, count

    one, spread_in, count_in = others(inside)
    zero, spread_out, count_out = others(1 - inside)
    own = jnp.maximum(spread_in + spread_out, 0) / jnp.maximum(count_in + count_out - 2, 1)
    common = own.mean(axis=-1, keepdims=True)
    variance = (1 - _SHRINKAGE) * own + _SHRINKAGE * common + 1e-20
    found = (one - zero) * (values - (one + zero) / 2) / variance
    return jnp.where((count_in > 1) & (count_out > 1), found, 0)


def label_ratio(correct: jax.Array, membership: jax.Array) -> jax.Array:
    """Log-likelihood ratio of a label that is right or wrong, by the other models: [models, points] each."""
    right, inside = correct.astype(jnp.float32), membership.astype(jnp.float32)

    def rate(weight: jax.Array) -> jax.Array:
        count = weight.sum(axis=0)[None] - weight
        hits = (weight * right).sum(axis=0)[None] - weight * right
        # The share over all points, of the other models alone: a model's own membership decides nothing about it.
        others = lambda of: of.sum() - of.sum(axis=1, keepdims=True)
        base = others(weight * right) / jnp.maximum(others(weight), 1)
        return (hits + 2 * base) / (count + 2)

    clip = lambda share: jnp.clip(share, 1e-4, 1 - 1e-4)
    one, zero = clip(rate(inside)), clip(rate(1 - inside))
    return jnp.where(correct, jnp.log(one / zero), jnp.log((1 - one) / (1 - zero)))


def attack(maps: jax.Array, x: jax.Array, correct: jax.Array, membership: jax.Array) -> Leak:
    """Attacks every model with the help of the others; weights are learned on the models that are not scored.

    Args:
      maps: [models, points, ...], released explanations.
      x: [points, ...].
      correct: bool [models, points], whether the released label is right.
      membership: bool [models, points].

    Returns:
      `Leak`.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    label = label_ratio(correct, membership)[..., None]
    matched = ratios(flat, membership).sum(axis=-1, keepdims=True)
    scalars = ratios(signals(maps, x), membership)
    sides = jnp.stack([scalars[..., i] * jnp.where(correct, 1, -1) for i in (2, 3)], axis=-1)
    features = jnp.concatenate([label, matched, jnp.tanh(matched / 8), scalars, sides], axis=-1)
    scores = [_held_out(part, membership) for part in (label, features)]
    return Leak(*(caught(score, membership) for score in scores))


def caught(scores: jax.Array, membership: jax.Array, rate: float = 0.01) -> jax.Array:
    """The share of members above the threshold that a share of non-members passes; ties count by their expectation.

    Args:
      scores: [models, points].
      membership: bool [models, points].
      rate: of false alarms.

    Returns:
      A scalar.
    """
    members, others = membership.sum(), (~membership).sum()
    ordered = jnp.sort(jnp.where(membership, -jnp.inf, scores).ravel())[::-1]
    threshold = ordered[jnp.floor(rate * others).astype(int)]
    above, level = scores > threshold, scores == threshold
    share = lambda part, whole: part.sum() / whole
    missing = rate - share(above & ~membership, others)
    tied = share(level & ~membership, others)
    return share(above & membership, members) + share(level & membership, members) * missing / jnp.maximum(
        tied, 1e-9
    )


def _held_out(features: jax.Array, membership: jax.Array) -> jax.Array:
    """Log-odds of each half of the models by weights of the other half, [models, points]."""
    scale = jnp.sqrt((features**2).mean(axis=(0, 1))) + 1e-9
    features = jnp.clip(features / scale[None, None], -6, 6)
    even = jnp.arange(len(features)) % 2 == 0
    of_half = [_logistic(features, membership, half) for half in (even, ~even)]
    found = [jnp.einsum("mpf,f->mp", features, weights) for weights in of_half]
    return jnp.where(even[:, None], found[1], found[0])


def _logistic(features: jax.Array, membership: jax.Array, of: jax.Array) -> jax.Array:
    """Weights of a ridge logistic regression on some of the models, by Newton's method."""
    size = features.shape[-1]
    rows = features.reshape(-1, size)
    weight = jnp.repeat(of.astype(rows.dtype), features.shape[1])
    member = membership.reshape(-1).astype(rows.dtype)

    def step(weights: jax.Array, _: None) -> tuple[jax.Array, None]:
        chance = jax.nn.sigmoid(rows @ weights)
        slope = rows.T @ (weight * (chance - member)) + _RIDGE * weights
        curve = (rows * (weight * chance * (1 - chance))[:, None]).T @ rows + _RIDGE * jnp.eye(size)
        return weights - _solve(curve, slope), None

    return jax.lax.scan(step, jnp.zeros(size), None, length=_STEPS)[0]


def _solve(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Gauss-Jordan elimination of a small positive definite system: no LAPACK, which is not safe when it is batched."""
    rows = jnp.concatenate([matrix, vector[:, None]], axis=1)
    for i in range(len(vector)):
        pivot = rows[i] / rows[i, i]
        rows = (rows - rows[:, i : i + 1] * pivot[None]).at[i].set(pivot)
    return rows[:, -1]
