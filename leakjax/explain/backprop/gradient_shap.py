"""GradientSHAP: gradients at random places between the example and random baselines."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax._validate import a_count, at_least, is_concrete
from leakjax.explain.backprop.integrated import along_line
from leakjax.explain.masking.coalitions import rows_like
from leakjax.explain.registry import registered
from leakjax.explain.types import (
    Explainer,
    LogitsFn,
    Variables,
    explainer_of,
    scalar_of,
    sum_chunked,
)


def _samples(shape: tuple[int, ...], players: int, *, samples: int, **_: Any) -> int:
    return samples


@registered("backpropagation", runs=_samples, stochastic=True)
def gradient_shap(
    logits_fn: LogitsFn,
    *,
    samples: int = 50,
    baseline: Any = 0.0,
    background: Any = None,
    sigma: float = 0.0,
    output: str = "logit",
    chunk: int = 50,
) -> Explainer:
    """The mean of (x - b) x gradient at b + u (x + noise - b), `samples` runs of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      samples: Draws of the baseline b, the place u ~ U(0, 1) and the noise.
      baseline: Where every way begins: a number, or an array of x's shape.
      background: Examples [rows, ...] to draw b from instead.
      sigma: Standard deviation of the noise on x, in x's units.
      output: What is explained.
      chunk: Gradients held at a time; memory is chunk x what one gradient needs.

    Returns:
      The explainer; attributions have x's shape.

    Source: Lundberg, Lee 2017, as the expected gradients of Erion et al. 2021, section 2, with noise on the
      input.
    """
    a_count("samples", samples)
    at_least("sigma", sigma, 0)
    scalar = scalar_of(logits_fn, output)
    noisy = not is_concrete(sigma) or sigma > 0

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        rows = rows_like(x, baseline, background)

        def fn(place: jax.Array) -> jax.Array:
            return scalar(variables, place, target)

        def term(sample: jax.Array) -> jax.Array:
            row_key, place_key, noise_key = jax.random.split(jax.random.fold_in(key, sample), 3)
            start = rows[jax.random.randint(row_key, (), 0, len(rows))]
            end = x + sigma * jax.random.normal(noise_key, x.shape, x.dtype)
            place = jax.random.uniform(place_key, (), x.dtype)
            return (x - start) * jax.grad(fn)(start + place * (end - start))

        if noisy or len(rows) > 1:
            return sum_chunked(term, jnp.arange(samples), chunk) / samples
        places = jax.random.uniform(key, (samples,), x.dtype)
        return along_line(fn, rows[0], x, (places, jnp.full(samples, 1 / samples, x.dtype)), chunk)

    return explainer_of(logits_fn, attribute)
