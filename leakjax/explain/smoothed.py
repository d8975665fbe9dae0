"""Any method at noisy copies of an example, and the mean, the mean square or the variance of what it says."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from leakjax._validate import a_count, at_least, fail, one_of
from leakjax.explain.types import Explainer, Variables, sum_chunked

REDUCTIONS = ("mean", "square", "variance")


def smoothed(
    explainer: Explainer,
    *,
    samples: int = 50,
    sigma: float = 0.15,
    relative: bool = False,
    reduce: str = "mean",
    chunk: int = 50,
) -> Explainer:
    """An explainer around another: its attributions at `samples` noisy copies of the example, in one map.

    Around `gradient` it is SmoothGrad, its square and VarGrad; a method that draws at random draws anew for each copy.

    Args:
      explainer: Of one example.
      samples: Noisy copies.
      sigma: Standard deviation of the Gaussian noise, in x's units.
      relative: Whether sigma is in units of the example's range, its maximum less its minimum.
      reduce: "mean", "square" (the mean of the squares) or "variance" (that of the sample, divided by `samples`).
      chunk: Attributions held at a time; memory is chunk x what one attribution needs.

    Returns:
      The explainer; maps are of the form of the other's.

    Raises:
      UsageError: On no samples, a negative sigma, an unknown reduction, or, when called, no key.

    Source: Smilkov et al. 2017, "SmoothGrad", section 2; Hooker et al. 2019, "A Benchmark for Interpretability
      Methods", section 4; Adebayo et al. 2018, "Local Explanation Methods", section 2.
    """
    check_noise(samples, sigma)
    one_of("reduce", reduce, REDUCTIONS)

    def around(
        variables: Variables, x: Any, target: Any = None, *, key: Any = None, segments: Any = None
    ) -> Any:
        if key is None:
            raise fail("key", None, "must be a jax.random.key: the copies are drawn at random")
        row, unravel = ravel_pytree(x)

        def at(sample: Any) -> jax.Array:
            copy = unravel(noisy_copy(row, sigma, key, sample, relative))
            own = jax.random.fold_in(jax.random.fold_in(key, sample), 1)
            return explainer(variables, copy, target, key=own, segments=segments)

        return reduced(at, samples, chunk, reduce)

    return around


def check_noise(samples: int, sigma: float) -> None:
    """Raises UsageError on no samples or a negative sigma."""
    a_count("samples", samples)
    at_least("sigma", sigma, 0)


def noisy_copy(x: jax.Array, sigma: float, key: jax.Array, sample: Any, relative: bool) -> jax.Array:
    """Copy number `sample` of an example, with noise of sigma, in x's units or in those of its range."""
    noise = jax.random.normal(jax.random.fold_in(key, sample), x.shape, x.dtype)
    return x + sigma * (x.max() - x.min() if relative else 1) * noise


def reduced(at: Callable[[Any], Any], samples: int, chunk: int, how: str) -> Any:
    """The mean, mean square or variance of `at(sample)` over the samples.

    The variance is taken of what each is less the first: what all have in common, however large, takes no digits from
    what tells them apart.
    """

    def mean_of(fn: Callable[[Any], Any], first: int = 0) -> Any:
        total = sum_chunked(fn, jnp.arange(first, samples), chunk)
        return jax.tree.map(lambda value: value / samples, total)

    if how == "mean":
        return mean_of(at)
    if how == "square":
        return mean_of(lambda sample: jax.tree.map(jnp.square, at(sample)))
    first = at(0)

    def powers(sample: Any) -> tuple[Any, Any]:
        moved = jax.tree.map(jnp.subtract, at(sample), first)
        return moved, jax.tree.map(jnp.square, moved)

    if samples == 1:
        return jax.tree.map(jnp.zeros_like, first)
    mean, square = mean_of(powers, 1)
    return jax.tree.map(lambda mean, square: jnp.maximum(square - mean**2, 0), mean, square)
