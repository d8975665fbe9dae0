"""Gradients under noise: SmoothGrad, its square, and their variance."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.affine import split
from leakjax.explain.registry import registered
from leakjax.explain.smoothed import check_noise, noisy_copy, reduced
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of, sum_chunked


def _samples(shape: tuple[int, ...], players: int, *, samples: int, **_: Any) -> int:
    return samples


@registered("backpropagation", runs=_samples, stochastic=True)
def smoothgrad(
    logits_fn: LogitsFn,
    *,
    samples: int = 50,
    sigma: float = 0.15,
    relative: bool = False,
    output: str = "logit",
    chunk: int = 50,
) -> Explainer:
    """The mean gradient at noisy copies of the example, `samples` runs of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      samples: Noisy copies.
      sigma: Standard deviation of the Gaussian noise, in x's units.
      relative: Whether sigma is in units of the example's range, its maximum less its minimum; of that, the paper takes
        0.1 to 0.2.
      output: What is explained.
      chunk: Gradients held at a time; memory is chunk x what one gradient needs.

    Returns:
      The explainer; attributions have x's shape.

    Raises:
      UsageError: On no samples or a negative sigma.

    Source: Smilkov et al. 2017, "SmoothGrad", section 2.
    """
    check_noise(samples, sigma)
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        model = split(lambda place: scalar(variables, place, target), x)

        def share(sample: jax.Array) -> list[jax.Array]:
            images = model.start(noisy_copy(x, sigma, key, sample, relative))
            return jax.grad(lambda images: model.rest(images) / samples)(images)

        total = sum_chunked(share, jnp.arange(samples), chunk)
        # The way back through an affine start is the same from everywhere, so the samples take it together.
        return jax.vjp(model.start, x)[1](total)[0]

    return explainer_of(logits_fn, attribute)


@registered("backpropagation", runs=_samples, stochastic=True)
def smoothgrad_squared(
    logits_fn: LogitsFn,
    *,
    samples: int = 50,
    sigma: float = 0.15,
    relative: bool = False,
    output: str = "logit",
    chunk: int = 50,
) -> Explainer:
    """The mean squared gradient at noisy copies of the example; arguments as for `smoothgrad`.

    Source: Hooker et al. 2019, "A Benchmark for Interpretability Methods", section 4.
    """
    return _of_gradients(logits_fn, "square", samples, sigma, relative, output, chunk)


@registered("backpropagation", runs=_samples, stochastic=True)
def vargrad(
    logits_fn: LogitsFn,
    *,
    samples: int = 50,
    sigma: float = 0.15,
    relative: bool = False,
    output: str = "logit",
    chunk: int = 50,
) -> Explainer:
    """The variance of the gradient over noisy copies of the example; arguments as for `smoothgrad`.

    The variance is that of the sample, divided by `samples`. In half precision it takes in the rounding of the
    gradients, which can be as large as itself.

    Source: Adebayo et al. 2018, "Local Explanation Methods for Deep Neural Networks Lack Sensitivity to
    Parameter Values", section 2.
    """
    return _of_gradients(logits_fn, "variance", samples, sigma, relative, output, chunk)


def _of_gradients(
    logits_fn: LogitsFn, how: str, samples: int, sigma: float, relative: bool, output: str, chunk: int
) -> Explainer:
    check_noise(samples, sigma)
    slope = jax.grad(scalar_of(logits_fn, output), argnums=1)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        at = lambda sample: slope(variables, noisy_copy(x, sigma, key, sample, relative), target)
        return reduced(at, samples, chunk, how)

    return explainer_of(logits_fn, attribute)
