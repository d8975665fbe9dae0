"""Gradient, input x gradient, integrated gradients and the gradients under noise, against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import (
    gradient,
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    smoothgrad,
    smoothgrad_squared,
    vargrad,
)
from leakjax.explain.backprop.integrated import quadrature

KEY = jax.random.key(0)


def multivariable_relu(variables, x):
    """relu(relu(x1) - 1 - relu(x2)), as the only logit: the example of Sundararajan et al., appendix B."""
    return jax.nn.relu(jax.nn.relu(x[0]) - 1 - jax.nn.relu(x[1]))[None]


def linear(variables, x):
    return variables @ x


def square(variables, x):
    """x1**2 + 3 x1 x2, whose gradient is (2 x1 + 3 x2, 3 x1)."""
    return (x[0] ** 2 + 3 * x[0] * x[1])[None]


def test_integrated_gradients_known_values():
    x = np.array([3.0, 1.0], np.float32)
    found = integrated_gradients(multivariable_relu, steps=400, rule="midpoint")(None, x, 0, key=KEY)
    np.testing.assert_allclose(found, [1.5, -0.5], atol=0.01)


@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "trapezoid"])
def test_integrated_gradients_of_a_square_is_exact_under_every_rule(rule):
    x, baseline = np.array([2.0, -1.0], np.float32), np.array([0.5, 1.0], np.float32)
    found = integrated_gradients(square, steps=5, rule=rule, baseline=baseline)(None, x, 0, key=KEY)
    middle = (x + baseline) / 2
    np.testing.assert_allclose(
        found, (x - baseline) * [2 * middle[0] + 3 * middle[1], 3 * middle[0]], rtol=1e-5
    )


@pytest.mark.parametrize("rule", ["gauss_legendre", "midpoint", "trapezoid"])
def test_weights_sum_to_one_and_places_lie_inside(rule):
    places, weights = quadrature(rule, 7)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights * places).sum() == pytest.approx(0.5, abs=1e-12)
    assert places.min() >= 0
    assert places.max() <= 1


@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_chunks_change_nothing(chunk):
    x = np.array([3.0, 1.0], np.float32)

    @jax.jit
    def found(x, key):
        explainers = [
            factory(square, chunk=size, **options)
            for factory, options in ((integrated_gradients, {"steps": 10}), (smoothgrad, {"samples": 10}))
            for size in (50, chunk)
        ]
        return [explain(None, x, 0, key=key) for explain in explainers]

    whole, parts, noisy, noisy_parts = found(x, KEY)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    np.testing.assert_allclose(noisy_parts, noisy, rtol=1e-6)


def test_gradient_keeps_its_sign_unless_told():
    x = np.array([2.0, -1.0], np.float32)
    np.testing.assert_allclose(gradient(square)(None, x, 0, key=KEY), [1, 6])
    np.testing.assert_allclose(gradient(square, absolute=True)(None, -x, 0, key=KEY), [1, 6])
    np.testing.assert_allclose(input_x_gradient(square)(None, x, 0, key=KEY), [2, -6])


def test_every_output_is_the_gradient_of_its_formula():
    weights = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0]], np.float32)
    x = np.array([0.3, 0.2], np.float32)
    logits = weights.astype(np.float64) @ x
    chances = np.exp(logits) / np.exp(logits).sum()
    log_slope = weights[1] - chances @ weights
    for output, expected in {
        "logit": weights[1],
        "probability": chances[1] * log_slope,
        "log_probability": log_slope,
        "loss": -log_slope,
    }.items():
        found = gradient(linear, output=output)(weights, x, 1, key=KEY)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_moments_under_noise_match_the_closed_form():
    # The gradient (2 x1 + 3 x2, 3 x1) at x + sigma z is Gaussian: variances 13 sigma^2 and 9 sigma^2.
    x, sigma, samples = np.array([2.0, -1.0], np.float32), 0.5, 4000
    options = {"samples": samples, "sigma": sigma, "chunk": 1000}

    @jax.jit
    def moments(x, key):
        factories = (smoothgrad, smoothgrad_squared, vargrad)
        return [factory(square, **options)(None, x, 0, key=key) for factory in factories]

    mean, second, variance = moments(x, KEY)
    expected = sigma**2 * np.array([13.0, 9.0])
    np.testing.assert_allclose(mean, [1, 6], atol=5 * np.sqrt(expected / samples).max())
    np.testing.assert_allclose(variance, expected, rtol=5 * np.sqrt(2 / samples))
    np.testing.assert_allclose(second, variance + mean**2, rtol=1e-5)


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="steps=0: must be at least 1"):
        integrated_gradients(linear, steps=0)
    with pytest.raises(UsageError, match="steps=1: must be at least 2"):
        integrated_gradients(linear, steps=1, rule="trapezoid")
    with pytest.raises(UsageError, match=r"rule='trapez'.*did you mean 'trapezoid'"):
        integrated_gradients(linear, rule="trapez")
    with pytest.raises(UsageError, match="samples=0"):
        smoothgrad(linear, samples=0)
    with pytest.raises(UsageError, match="sigma=-1"):
        vargrad(linear, sigma=-1)
    with pytest.raises(UsageError, match="chunk=0"):
        integrated_gradients(square, chunk=0)(None, jnp.ones(2), 0, key=KEY)
    with pytest.raises(UsageError, match=r"baseline=\(3,\): .*shape of x, \(2,\)"):
        integrated_gradients(square, baseline=np.zeros(3))(None, jnp.ones(2), 0, key=KEY)


@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize("rows", [None, [[0.5, 1.0], [-1.0, 2.0], [0.0, 0.0]]])
def test_gradient_shap_is_the_mean_of_integrated_gradients(rows, sigma):
    x, baseline = np.array([2.0, -1.0], np.float32), np.array([0.5, 1.0], np.float32)
    background = None if rows is None else np.array(rows, np.float32)
    explain = gradient_shap(square, samples=20_000, baseline=baseline, background=background, sigma=sigma)
    starts = [baseline] if rows is None else background
    # The gradient is linear in the place, so its mean over the way and the noise is that in the middle.
    middles = [(x + start) / 2 for start in starts]
    expected = np.mean(
        [(x - b) * [2 * m[0] + 3 * m[1], 3 * m[0]] for b, m in zip(starts, middles, strict=True)], axis=0
    )
    found = explain(None, x, 0, key=KEY)
    np.testing.assert_allclose(found, expected, atol=0.1)
    assert not np.array_equal(found, explain(None, x, 0, key=jax.random.key(1)))


@pytest.mark.parametrize("slope", [0.0, 10.0, 1000.0])
@pytest.mark.parametrize("chunk", [7, 500])
def test_the_variance_keeps_its_digits_beside_a_large_mean(slope, chunk):
    # f = sum(c x + x^2 / 2): the gradient is c + x + sigma z, of variance sigma^2 whatever c.
    f = lambda variables, x: (slope * x + x**2 / 2).sum()[None]
    x = np.array([0.3, -0.2, 0.1], np.float32)
    found = vargrad(f, samples=500, sigma=0.1, chunk=chunk)(None, x, 0, key=KEY)
    drawn = [jax.random.normal(jax.random.fold_in(KEY, sample), (3,)) for sample in range(500)]
    np.testing.assert_allclose(found, 0.01 * np.var(np.array(drawn, np.float64), axis=0), rtol=5e-3)


def test_the_variance_of_one_copy_is_none():
    f = lambda variables, x: (x**2).sum()[None]
    assert not vargrad(f, samples=1)(None, np.ones(3, np.float32), 0, key=KEY).any()
