"""Local differential privacy for maps of finitely many kinds: signs, and the few largest values with their signs."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.defend.defense import Defense, Noise
from leakjax.defend.domain import Domain
from leakjax.defend.mechanisms import checked_epsilon, claiming
from leakjax.defend.registry import registered
from leakjax.defend.sensitivity import diameter


class Law(NamedTuple):
    """What a threshold mechanism releases, by how it agrees with the true signed top.

    Attributes:
      threshold: how many signed positions must be right for the larger probability.
      cells: int [cells, 2], how many of the top's positions are released right, and how many with the wrong sign.
      outputs: [cells], how many releases there are of each.
      probability: [cells], of one such release.
      overlap: expected share of the top that is released right.
    """

    threshold: int
    cells: np.ndarray
    outputs: np.ndarray
    probability: np.ndarray
    overlap: float


@registered
def randomized_response(epsilon: float) -> Defense:
    """Releases the sign of every value, each flipped by chance and independently.

    Formal guarantee, for one release: epsilon-differential privacy for any two arrays (*local*): each of n signs is
    kept with odds e^(epsilon / n), so that a release's probabilities under two arrays differ by e^epsilon at most,
    and by that where all signs do (Warner 1965). A value of 0 counts as positive.

    Args:
      epsilon: above 0, for the whole array.

    Returns:
      The defense; its results are -1 or 1.

    Raises:
      UsageError: if epsilon is out of range.
    """
    epsilon = checked_epsilon(epsilon)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        kept = jax.random.bernoulli(key, 1 / (1 + math.exp(-epsilon / attribution.size)), attribution.shape)
        return jnp.where((jnp.nan_to_num(attribution) >= 0) == kept, 1, -1).astype(attribution.dtype)

    return claiming(
        Defense(
            f"randomized_response({epsilon!r})",
            apply,
            lambda domain: Domain(domain.shape, low=-1.0, high=1.0, exact=False),
            noise=Noise("local", lambda domain: epsilon),
        )
    )


@registered
def threshold_mechanism(epsilon: float, k: int) -> Defense:
    """Releases k signed positions, at random, more probably such as agree with the k values of largest magnitude.

    Formal guarantee, for one release: epsilon-differential privacy for any two arrays (*local*): of all signed sets of
    k positions, those with at least t of the true ones right are e^epsilon times as probable as the others, and there
    are as many of them whatever the array. t is the one of the largest expected overlap (0.70 for 4 of 16 values at
    epsilon 8, where the exponential mechanism has 0.43).

    Args:
      epsilon: above 0.
      k: positions, 1 to the number of values.

    Returns:
      The defense; its results have k values of -1 or 1, the others 0.

    Raises:
      UsageError: if epsilon or k is out of range; when it is applied, if there are fewer than k values.
    """
    epsilon = checked_epsilon(epsilon)
    _positions(k)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        law = threshold_law(attribution.size, k, epsilon)
        values = jnp.nan_to_num(jnp.ravel(attribution))
        top = jnp.zeros(values.size, bool).at[jax.lax.top_k(jnp.abs(values), k)[1]].set(True)
        which, order, signs = jax.random.split(key, 3)
        log_weight = jnp.asarray(np.log(law.probability) + np.log(law.outputs), "float32")
        right, wrong = jnp.asarray(law.cells)[jax.random.categorical(which, log_weight)]
        # Positions in random order, those of the top and the others apart.
        draw = jax.random.uniform(order, values.shape)
        among_top = jnp.argsort(jnp.argsort(jnp.where(top, draw, 2)))
        among_others = jnp.argsort(jnp.argsort(jnp.where(top, 2, draw)))
        true = jnp.where(values >= 0, 1, -1)
        of_top = jnp.where(among_top < right, true, jnp.where(among_top < right + wrong, -true, 0))
        of_others = jnp.where(among_others < k - right - wrong, jax.random.rademacher(signs, values.shape), 0)
        return jnp.where(top, of_top, of_others).reshape(attribution.shape).astype(attribution.dtype)

    return claiming(
        Defense(
            f"threshold_mechanism({epsilon!r}, {k})",
            apply,
            lambda domain: Domain(domain.shape, low=-1.0, high=1.0, nonzeros=k, exact=False),
            noise=Noise("local", lambda domain: epsilon),
        )
    )


@functools.cache
def threshold_law(size: int, k: int, epsilon: float) -> Law:
    """The law of `threshold_mechanism` in closed form.

    Args:
      size: values of an array.
      k: positions.
      epsilon: above 0.

    Returns:
      `Law`, with the threshold of the largest expected overlap.

    Raises:
      UsageError: if k is more than there are values.
    """
    if k > size:
        raise _validate.fail("k", k, f"must be at most {size}, the values that an attribution has there")
    cells = [(right, wrong) for right in range(k + 1) for wrong in range(k - right + 1)]
    outputs = np.array([_outputs(size, k, *cell) for cell in cells])
    cells_array, outputs = np.array(cells)[outputs > 0], outputs[outputs > 0]
    right = cells_array[:, 0]
    laws = []
    for threshold in range(1, k + 1):
        weight = np.where(right >= threshold, 1.0, math.exp(-epsilon))
        probability = weight / (weight * outputs).sum()
        overlap = float((probability * outputs * right).sum() / k)
        laws.append(Law(threshold, cells_array, outputs, probability, overlap))
    return max(laws, key=lambda law: law.overlap)


def _outputs(size: int, k: int, right: int, wrong: int) -> float:
    """How many signed sets agree with the top so: right ones, wrong signs, and any signs elsewhere."""
    elsewhere = k - right - wrong
    return float(
        math.comb(k, right) * math.comb(k - right, wrong) * math.comb(size - k, elsewhere) * 2**elsewhere
    )


@registered
def noisy_top_k(epsilon: float, k: int) -> Defense:
    """Releases which k values are largest after Gumbel noise: 1 where they are, else 0.

    Formal guarantee, for one release of the ideal mechanism: epsilon-differential privacy for any two arrays that can
    enter (*local*). Gumbel noise of scale s and the k largest are k draws of the exponential mechanism without
    replacement, each of 2 B / s for values that differ by at most B, the Linf diameter of the set; s = 2 k B / epsilon
    (Durfee & Rogers, arXiv 1905.04273; as OpenDP's make_noisy_top_k accounts for it). Take `absolute` before it to
    rank magnitudes.

    Args:
      epsilon: above 0.
      k: positions, 1 to the number of values.

    Returns:
      The defense. Where its stage is applied, the entering set must be bounded: put clip_values(0, 1) before it.

    Raises:
      UsageError: if epsilon or k is out of range; when it is applied, if the entering set is unbounded or there are
        fewer than k values.
    """
    epsilon = checked_epsilon(epsilon)
    _positions(k)
    name = f"noisy_top_k({epsilon!r}, {k})"

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        if k > attribution.size:
            rule = f"must be at most {attribution.size}, the values that an attribution has there"
            raise _validate.fail("k", k, rule)
        spread = diameter(domain, norm=math.inf).value
        if _validate.is_concrete(spread) and not spread < math.inf:
            rule = "what enters it is unbounded: put clip_values(0.0, 1.0) before it"
            raise _validate.fail("defense", name, rule)
        scores = jnp.nan_to_num(jnp.ravel(attribution)) * (epsilon / (2 * k)) / jnp.maximum(spread, 1e-30)
        noisy = scores + jax.random.gumbel(key, scores.shape, scores.dtype)
        chosen = jnp.zeros_like(scores).at[jax.lax.top_k(noisy, k)[1]].set(1)
        return chosen.reshape(attribution.shape).astype(attribution.dtype)

    return claiming(
        Defense(
            name,
            apply,
            lambda domain: Domain(domain.shape, low=0.0, high=1.0, nonzeros=k, exact=False),
            noise=Noise("local", lambda domain: epsilon),
        )
    )


def _positions(k: int) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise _validate.fail("k", k, "must be a whole number of at least 1")
