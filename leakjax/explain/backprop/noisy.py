"""Gradients under noise: SmoothGrad, its square, and their variance."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax._validate import at_least
from leakjax.explain.affine import split
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of, sum_chunked


def _samples(shape: tuple[int, ...], players: int, *, samples: int, **_: Any) -> int:
    return samples


@registered("backpropagation", runs=_samples, stochastic=True)
def smoothgrad(
    logits_fn: LogitsFn, *, samples: int = 50, sigma: float = 0.15, output: str = "logit", chunk: int = 50
) -> Explainer:
    """The mean gradient at noisy copies of the example, `samples` runs of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      samples: Noisy copies.
      sigma: Standard deviation of the Gaussian noise, in x's units (0.1 to 0.2 of x's range in the paper).
      output: What is explained.
      chunk: Gradients held at a time; memory is chunk x what one gradient needs.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: On no samples or a negative sigma.

    Source: Smilkov et al. 2017, "SmoothGrad", section 2.
    """
    _check(samples, sigma)
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        model = split(lambda place: scalar(variables, place, target), x)

        def share(sample: jax.Array) -> list[jax.Array]:
            images = model.start(_noisy_copy(x, sigma, key, sample))
            return jax.grad(lambda images: model.rest(images) / samples)(images)

        total = sum_chunked(share, jnp.arange(samples), chunk)
        # The way back through an affine start is the same from everywhere, so the samples take it together.
        return jax.vjp(model.start, x)[1](total)[0]

    return explainer_of(logits_fn, attribute)


@registered("backpropagation", runs=_samples, stochastic=True)
def smoothgrad_squared(
    logits_fn: LogitsFn, *, samples: int = 50, sigma: float = 0.15, output: str = "logit", chunk: int = 50
) -> Explainer:
    """The mean squared gradient at noisy copies of the example; arguments as for `smoothgrad`.

    Source: Hooker et al. 2019, "A Benchmark for Interpretability Methods", section 4.
    """
    _check(samples, sigma)
    slope = jax.grad(scalar_of(logits_fn, output), argnums=1)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        def square(sample: jax.Array) -> jax.Array:
            return slope(variables, _noisy_copy(x, sigma, key, sample), target) ** 2

        return sum_chunked(square, jnp.arange(samples), chunk) / samples

    return explainer_of(logits_fn, attribute)


@registered("backpropagation", runs=_samples, stochastic=True)
def vargrad(
    logits_fn: LogitsFn, *, samples: int = 50, sigma: float = 0.15, output: str = "logit", chunk: int = 50
) -> Explainer:
    """The variance of the gradient over noisy copies of the example; arguments as for `smoothgrad`.

    The variance is that of the sample (divided by `samples`), from the gradients less that of the first copy: what all
    have in common, however large, takes no digits from what tells them apart.

    Source: Adebayo et al. 2018, "Local Explanation Methods for Deep Neural Networks Lack Sensitivity to
    Parameter Values", section 2.
    """
    _check(samples, sigma)
    slope = jax.grad(scalar_of(logits_fn, output), argnums=1)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        def at(sample: Any) -> jax.Array:
            return slope(variables, _noisy_copy(x, sigma, key, sample), target)

        first = at(0)

        def powers(sample: jax.Array) -> tuple[jax.Array, jax.Array]:
            moved = at(sample) - first
            return moved, moved**2

        mean, square = (total / samples for total in sum_chunked(powers, jnp.arange(1, samples), chunk))
        return jnp.maximum(square - mean**2, 0)

    return explainer_of(logits_fn, attribute)


def _check(samples: int, sigma: float) -> None:
    at_least("samples", samples, 1)
    at_least("sigma", sigma, 0)


def _noisy_copy(x: jax.Array, sigma: float, key: jax.Array, sample: jax.Array) -> jax.Array:
    return x + sigma * jax.random.normal(jax.random.fold_in(key, sample), x.shape, x.dtype)
