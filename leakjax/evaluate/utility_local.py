"""Whether a map says what the model does: predicted against true changes of its output, per example."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from leakjax.evaluate.utility_curves import Scalar, as_large_as


def local_correlation(
    f: Scalar, x: jax.Array, attribution: jax.Array, *, key: jax.Array, radius: float = 0.1, samples: int = 64
) -> jax.Array:
    """Correlation of the change that a map predicts, a . d, with the change f(x + d) - f(x), over random small d.

    Args:
      f: the deployed model's output of the explained class, of one example: x -> scalar.
      x: the query.
      attribution: of its shape, or coarser.
      key: draws `jax.random.normal(key, (samples, *x.shape))`, of which d is `radius` times.
      radius: standard deviation of an entry of d, in the unit of the query.
      samples: changes that are tried.

    Returns:
      Pearson's correlation; chance is 0, a map that predicts nothing gets 0.
    """
    changes = radius * jax.random.normal(key, (samples, *x.shape), x.dtype)
    return _correlation(_dots(changes, as_large_as(attribution, x)), _differences(f, x[None] + changes, x))


def mask_correlation(
    f: Scalar,
    x: jax.Array,
    attribution: jax.Array,
    *,
    key: jax.Array,
    baseline: jax.Array | float = 0.0,
    samples: int = 64,
) -> jax.Array:
    """Correlation of the attribution that is masked with the output that is lost, over random halves of the values.

    Args:
      f: as for `local_correlation`.
      x: the query.
      attribution: of its shape, or coarser.
      key: draws `jax.random.bernoulli(key, 0.5, (samples, *x.shape))`, which values are replaced.
      baseline: what a value is replaced by.
      samples: masks that are tried.

    Returns:
      Pearson's correlation; chance is 0.
    """
    masks = jax.random.bernoulli(key, 0.5, (samples, *x.shape))
    return _of_masks(f, x, attribution, masks, baseline)


def faithfulness_correlation(
    f: Scalar,
    x: jax.Array,
    attribution: jax.Array,
    *,
    key: jax.Array,
    baseline: jax.Array | float = 0.0,
    subset: int = 8,
    samples: int = 100,
) -> jax.Array:
    """As `mask_correlation`, over random subsets of one size.

    Args:
      f: as for `local_correlation`.
      x: the query.
      attribution: of its shape, or coarser.
      key: sample i replaces the values whose `jax.random.uniform(key, (samples, size))[i]` is among the least.
      baseline: what a value is replaced by.
      subset: how many values are replaced at once.
      samples: subsets that are tried.

    Returns:
      Pearson's correlation; chance is 0.

    Source: Bhatt et al., "Evaluating and aggregating feature-based model explanations" (arXiv 2005.00631),
    definition 3, as Quantus has it.
    """
    draws = jax.random.uniform(key, (samples, x.size))
    masks = jnp.argsort(jnp.argsort(draws, axis=1), axis=1) < subset
    return _of_masks(f, x, attribution, masks.reshape(samples, *x.shape), baseline)


def infidelity(
    f: Scalar, x: jax.Array, attribution: jax.Array, *, key: jax.Array, radius: float = 0.1, samples: int = 64
) -> jax.Array:
    """Mean squared difference of the change that a map predicts and the true one.

    Args:
      f: as for `local_correlation`.
      x: the query.
      attribution: of its shape, or coarser; in the unit of f over that of x.
      key: as for `local_correlation`.
      radius: standard deviation of an entry of a perturbation, in the unit of the query.
      samples: perturbations that are tried.

    Returns:
      At least 0, 0 is best; a map of zeros, which predicts no change, is the level of chance.

    Source: Yeh et al., "On the (in)fidelity and sensitivity of explanations" (arXiv 1901.09392), definition 2.1, as
    captum has it without normalisation.
    """
    changes = radius * jax.random.normal(key, (samples, *x.shape), x.dtype)
    predicted = _dots(changes, as_large_as(attribution, x))
    return jnp.mean((predicted + _differences(f, x[None] - changes, x)) ** 2)


def max_sensitivity(
    explain: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    *,
    key: jax.Array,
    radius: float = 0.02,
    samples: int = 10,
) -> jax.Array:
    """The largest relative change of a map over nearby queries. A constant map scores best: never quoted alone.

    Args:
      explain: query -> released attribution.
      x: the query.
      key: draws `jax.random.uniform(key, (samples, *x.shape), minval=-radius, maxval=radius)`.
      radius: of the box of nearby queries.
      samples: queries that are tried.

    Returns:
      At least 0; 0 is best.

    Source: Yeh et al. (arXiv 1901.09392), definition 4.1, as captum has it.
    """
    moves = jax.random.uniform(key, (samples, *x.shape), x.dtype, -radius, radius)
    plain = explain(x)
    changes = jax.vmap(lambda move: jnp.linalg.norm(jnp.ravel(explain(x + move) - plain)))(moves)
    return changes.max() / jnp.maximum(jnp.linalg.norm(jnp.ravel(plain)), 1e-30)


def _of_masks(
    f: Scalar, x: jax.Array, attribution: jax.Array, masks: jax.Array, baseline: jax.Array | float
) -> jax.Array:
    masked = jax.vmap(lambda mask: jnp.where(mask, baseline, x))(masks)
    lost = -_differences(f, masked, x)
    return _correlation(_dots(masks.astype(x.dtype), as_large_as(attribution, x)), lost)


def _dots(changes: jax.Array, attribution: jax.Array) -> jax.Array:
    return jnp.sum((changes * attribution[None]).reshape(len(changes), -1), axis=1)


def _differences(f: Scalar, moved: jax.Array, x: jax.Array) -> jax.Array:
    return jax.vmap(f)(moved) - f(x)


def _correlation(one: jax.Array, other: jax.Array) -> jax.Array:
    """Pearson's, 0 where one is constant; each is scaled first, so that squares neither overflow nor vanish."""

    def unit(values: jax.Array) -> jax.Array:
        centred = values - values.mean()
        centred = jnp.where(jnp.max(jnp.abs(centred)) > 1e-6 * jnp.max(jnp.abs(values)), centred, 0)
        largest = jnp.max(jnp.abs(centred))
        centred = centred / jnp.where(largest > 0, largest, 1)
        return centred / jnp.maximum(jnp.linalg.norm(centred), 1e-30)

    return jnp.clip(jnp.vdot(unit(one), unit(other)), -1, 1)
