"""Composition, keys, hardening and traced hyperparameters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.defend import (
    Domain,
    apply,
    chain,
    clip_norm,
    clip_values,
    gaussian_noise,
    harden,
    identity,
    keep_top_k,
    lift,
)

KEY = jax.random.key(7)
X = jax.random.normal(jax.random.key(1), (3, 4, 2))


def test_first_listed_applies_first():
    double = lift("double", lambda x: 2 * x)
    x = jnp.array([0.4, -3.0])
    np.testing.assert_allclose(apply(chain(double, clip_values(-1, 1)), x, key=KEY), [0.8, -1.0], rtol=1e-6)
    np.testing.assert_allclose(apply(chain(clip_values(-1, 1), double), x, key=KEY), [0.8, -2.0], rtol=1e-6)


def test_identity_is_neutral_and_changes_nothing():
    np.testing.assert_array_equal(apply(identity(), X, key=KEY), X)
    noise = gaussian_noise(1.0)
    for same in (chain(noise), chain(identity(), noise), chain(noise, identity())):
        np.testing.assert_array_equal(apply(same, X, key=KEY), apply(noise, X, key=KEY))


def test_chains_flatten_with_the_same_noise_and_stages_draw_apart():
    one, two, three = clip_norm(1.0), gaussian_noise(1.0), gaussian_noise(2.0)
    flat = apply(chain(one, two, three), X, key=KEY)
    np.testing.assert_array_equal(apply(chain(chain(one, two), three), X, key=KEY), flat)
    np.testing.assert_array_equal(apply(chain(one, chain(two, three)), X, key=KEY), flat)
    zero = jnp.zeros(1000)
    both = np.asarray(apply(chain(two, two), zero, key=KEY))
    first = np.asarray(apply(two, zero, key=jax.random.fold_in(KEY, 0)))
    assert abs(np.corrcoef(both - first, first)[0, 1]) < 0.1


@pytest.mark.parametrize("wrong", [2 / 3, 1, 3 / 2])
def test_noise_has_the_scale_it_names(wrong):
    sigma, count = 0.3, 20_000
    noise = np.asarray(apply(gaussian_noise(sigma), jnp.ones(count), key=KEY), np.float64) - 1
    # The sum of squares over the claimed variance is chi-squared: mean count, deviation sqrt(2 count).
    deviations = abs(np.sum(noise**2) / (sigma * wrong) ** 2 - count) / math.sqrt(2 * count)
    assert deviations < 4 if wrong == 1 else deviations > 20
    assert abs(noise.mean()) < 4 * sigma / math.sqrt(count)


def test_noise_claims_nothing_and_the_next_clip_bounds_again():
    entering = Domain((5,), low=-1.0, high=1.0)
    assert gaussian_noise(0.1).domain(entering) == Domain((5,))
    assert chain(clip_norm(1.0), gaussian_noise(0.1), clip_norm(2.0)).domain(entering).l2 == 2.0


def test_harden_is_an_explainer_and_keys_of_explainer_and_noise_differ():
    def explainer(variables, x, target, *, key, segments=None):
        return variables * jax.random.normal(key, x.shape) + (0 if segments is None else segments)

    hardened = harden(explainer, gaussian_noise(1.0))
    x = jnp.zeros(2000)
    seen = np.asarray(hardened(1.0, x, 0, key=KEY))
    np.testing.assert_array_equal(hardened(1.0, x, 0, key=KEY), seen)
    noise = np.asarray(hardened(0.0, x, 0, key=KEY))
    assert abs(np.corrcoef(noise, seen - noise)[0, 1]) < 0.1
    shifted = hardened(1.0, x, 0, key=KEY, segments=jnp.full(2000, 5.0))
    np.testing.assert_allclose(shifted, seen + 5, rtol=1e-5)


def test_noise_depends_on_the_key_alone_and_not_on_the_batch():
    defense = chain(clip_norm(1.0), gaussian_noise(0.5))
    xs = jax.random.normal(KEY, (6, 10))
    keys = jax.random.split(KEY, 6)
    every = jax.jit(jax.vmap(lambda x, key: apply(defense, x, key=key)))
    np.testing.assert_allclose(every(xs, keys)[2:4], every(xs[2:4], keys[2:4]), rtol=1e-6)
    assert np.all(np.asarray(every(jnp.zeros((6, 10)), keys)).std(axis=0) > 0)


def test_a_thousand_settings_run_in_one_vmapped_call():
    def run(radius, bound, k, sigma):
        stages = (clip_values(-bound, bound), keep_top_k(k), clip_norm(radius), gaussian_noise(sigma))
        return apply(chain(*stages), X, key=KEY)

    rng = np.random.default_rng(0)
    radius, bound, sigma = rng.uniform(0.1, 2, (3, 1000)).astype(np.float32)
    k = rng.integers(1, 25, 1000)
    results = np.asarray(jax.jit(jax.vmap(run))(radius, bound, k, sigma))
    assert results.shape == (1000, 3, 4, 2)
    for i in (0, 17, 999):
        alone = run(float(radius[i]), float(bound[i]), int(k[i]), float(sigma[i]))
        np.testing.assert_allclose(results[i], alone, rtol=1e-4, atol=1e-6)


def test_a_lifted_function_claims_no_exact_bound():
    total = lift("sum_channels", lambda x: jnp.sum(x, axis=-1, keepdims=True))
    out = total.domain(Domain((3, 4, 2)))
    assert out.shape == (3, 4, 1)
    assert math.isinf(out.high)
    vouched = lift("tanh", jnp.tanh, lambda domain: Domain(domain.shape, low=-1.0, high=1.0))
    assert vouched.domain(Domain((4,))).high == 1.0
    assert not vouched.domain(Domain((4,))).exact
    assert apply(total, X, key=KEY).shape == (3, 4, 1)


def test_domains_pass_through_jit():
    domain = jax.jit(lambda radius: clip_norm(radius).domain(Domain((4,))))(2.0)
    assert domain.shape == (4,)
    assert float(domain.l2) == 2.0
