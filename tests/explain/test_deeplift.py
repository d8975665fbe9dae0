"""DeepLIFT's rules: complete for each operation by itself, and the same however a function is written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import completeness, deeplift

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(6, 8))
X, BASELINE = RNG.normal(size=(2, 6))


def run(network, x=X, baseline=BASELINE, target=0):
    return np.asarray(jax.jit(lambda x: deeplift(network, baseline=baseline)(None, x, target, key=KEY))(x))


def after_dense(function):
    """The function of eight values of both signs, weighted so that no two count alike."""
    return lambda variables, x: (function(x @ WEIGHTS) * jnp.arange(1.0, 9)).sum()[None]


OPERATIONS = {
    "scatter": lambda h: jnp.zeros(8).at[jnp.arange(8)[::-1]].set(h),
    "fft": lambda h: jnp.fft.irfft(jnp.fft.rfft(h), 8),
    "spectrum": lambda h: jnp.tile(jnp.abs(jnp.fft.rfft(h))[:4], 2),
    "sort": jnp.sort,
    "top_k": lambda h: jnp.tile(jax.lax.top_k(h, 4)[0], 2),
    "median": lambda h: jnp.full(8, jnp.median(h)),
    "cumprod": jnp.cumprod,
    "reverse cumprod": lambda h: jax.lax.cumprod(h, reverse=True),
    "prod": lambda h: jnp.full(8, jnp.prod(h.reshape(2, 4), axis=1).sum()),
    "atan2": lambda h: jnp.arctan2(h, h[::-1]),
    "power": lambda h: (jnp.abs(h) + 0.1) ** h[::-1],
    "branch": lambda h: jax.lax.cond(h[0] > h[1], lambda h: h**2, lambda h: -h, h),
    "three branches": lambda h: jax.lax.switch(2, [jnp.sin, jnp.cos, jnp.tanh], h),
    "window minimum": lambda h: jnp.tile(
        jax.lax.reduce_window(h, jnp.inf, jax.lax.min, (2,), (2,), "VALID"), 2
    ),
    "one hot of the largest": lambda h: jax.nn.one_hot(jnp.argmax(h), 8),
    "largest place": lambda h: jnp.full(8, jnp.argmax(h).astype(h.dtype)),
    "rounded": lambda h: jnp.round(h).astype(jnp.int8).astype(h.dtype),
    "custom": jax.nn.relu6,
    "spelled out": lambda h: h * jax.nn.sigmoid(h) + jnp.where(h > 0, h, jnp.exp(h) - 1),
}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_is_complete_by_itself(x64, name):
    network = after_dense(OPERATIONS[name])
    found = run(network)
    assert np.abs(found).sum() > 1e-3
    assert abs(completeness(network, None, X, 0, found, baseline=BASELINE)) < 1e-11


def test_sorted_values_pay_those_who_crossed():
    # Sorted, [1, 2, 3] becomes [2, 3, 4] although two stand still: the one that passed them is paid for each.
    for place in range(3):
        found = run(
            lambda v, x, place=place: jnp.sort(x)[place][None], np.array([4.0, 2, 3]), np.array([1.0, 2, 3])
        )
        np.testing.assert_allclose(found, [1, 0, 0])


@pytest.mark.parametrize(
    ("function", "spelled"),
    [
        (jax.nn.elu, lambda h: jnp.where(h > 0, h, jnp.exp(h) - 1)),
        (jax.nn.softplus, lambda h: jnp.log(1 + jnp.exp(h))),
        (jax.nn.silu, lambda h: h / (1 + jnp.exp(-h))),
        (jax.nn.relu, lambda h: h * (h > 0)),
    ],
)
def test_a_function_has_one_slope_however_it_is_written(x64, function, spelled):
    before, start = X @ WEIGHTS, BASELINE @ WEIGHTS
    slope = (np.asarray(function(before)) - np.asarray(function(start))) / (before - start)
    expected = (X - BASELINE) * (WEIGHTS @ (slope * np.arange(1.0, 9)))
    for each in (function, spelled):
        np.testing.assert_allclose(run(after_dense(each)), expected, rtol=1e-9)


def test_an_output_without_the_example_has_zeros():
    assert not run(lambda v, x: jnp.ones(2)).any()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda v, x: x[jnp.argsort(x)], "places that depend on the example, at .*test_deeplift.py"),
        (
            lambda v, x: jax.lax.while_loop(lambda s: s.sum() < 9, lambda s: s + jnp.exp(s), x),
            "'while'.*occlusion",
        ),
    ],
)
def test_what_has_no_rule_is_named_with_a_way_out(network, message):
    with pytest.raises(UsageError, match=message):
        run(network, X.astype(np.float32))
