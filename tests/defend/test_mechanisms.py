"""Calibrated noise: its scale, its claim checked from outside, and what many releases spend."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend import chain, clip_norm, gaussian_mechanism, laplace_mechanism

KEY = jax.random.key(3)


def analytic_delta(epsilon, multiplier):
    """Balle & Wang (2018), theorem 8: the least delta of Gaussian noise of a multiple of the sensitivity."""
    a = 1 / (2 * multiplier)
    return norm.cdf(a - epsilon * multiplier) - math.exp(epsilon) * norm.cdf(-a - epsilon * multiplier)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_gaussian_noise_is_calibrated_to_what_enters(epsilon):
    delta, radius = 1e-5, 0.5
    multiplier = brentq(lambda m: analytic_delta(epsilon, m) - delta, 0.01, 1000)
    defense = chain(clip_norm(radius), gaussian_mechanism(epsilon, delta))
    noise = defend.apply(defense, jnp.zeros(400_000), key=KEY)
    expected = 2 * radius * multiplier
    assert abs(float(noise.std()) / expected - 1) < 5 / math.sqrt(2 * noise.size)


def test_laplace_noise_is_calibrated_to_the_l1_diameter():
    defense = chain(clip_norm(0.5, 1), laplace_mechanism(2.0))
    noise = defend.apply(defense, jnp.zeros(400_000), key=KEY)
    assert abs(float(jnp.abs(noise).mean()) / (1.0 / 2.0) - 1) < 5 / math.sqrt(noise.size)


def test_noise_follows_the_set_that_enters_it_and_not_the_end_of_the_chain():
    small = chain(clip_norm(0.1), gaussian_mechanism(1.0, 1e-5), clip_norm(1e6))
    large = chain(clip_norm(10.0), gaussian_mechanism(1.0, 1e-5), clip_norm(1e6))
    ratio = jnp.std(defend.apply(large, jnp.zeros(64), key=KEY)) / jnp.std(
        defend.apply(small, jnp.zeros(64), key=KEY)
    )
    np.testing.assert_allclose(ratio, 100.0, rtol=1e-4)


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_draws_at_the_witness_never_show_more_than_the_claim_and_most_of_it(epsilon):
    """A lower bound of epsilon (Clopper-Pearson, 99 %, thresholds set on other draws) from the witness pair."""
    delta, count = 1e-5, 10_000_000
    # Noise is independent from value to value: many values of one array stand for many releases of one value.
    mechanism, entering = gaussian_mechanism(epsilon, delta), defend.Domain((1,), l2=1.0)
    ends = [
        np.asarray(mechanism.apply(jnp.full(count, x), entering, key=jax.random.fold_in(KEY, i)))
        for i, x in enumerate(np.ravel(defend.sensitivity(clip_norm(1.0), (1,)).witness))
    ]
    lower = epsilon_bound(*ends, delta)
    assert lower <= epsilon
    assert lower > 0.7 * epsilon
    # Two thirds of the noise is caught.
    little = [x + 2 / 3 * (end - x) for x, end in zip((1.0, -1.0), ends, strict=True)]
    assert epsilon_bound(*little, delta) > epsilon


def epsilon_bound(one, other, delta):
    """The best Clopper-Pearson bound over thresholds, chosen on the first half of the draws, held on the second."""

    def bound(threshold, part):
        hits, alarms, half = (one[part] > threshold).sum(), (other[part] > threshold).sum(), len(one) // 2
        low, high = beta.ppf(0.005, hits, half - hits + 1), beta.ppf(0.995, alarms + 1, half - alarms)
        return math.log(max(low - delta, 1e-12) / high)

    first, second = slice(0, len(one) // 2), slice(len(one) // 2, None)
    grid = np.quantile(other[first], 1 - np.logspace(-5, -0.5, 25))
    return bound(max(grid, key=lambda threshold: bound(threshold, first)), second)


def test_spending_is_the_analytic_epsilon_for_one_release_and_grows_with_releases():
    defense = chain(clip_norm(1.0), gaussian_mechanism(1.0, 1e-5))
    spent = [defend.privacy_spent(defense, (8, 8, 1), releases=n, delta=1e-5) for n in (1, 4, 16)]
    np.testing.assert_allclose(spent[0], 1.0, rtol=1e-3)
    assert spent[0] < spent[1] < spent[2]
    # Sixteen Gaussian releases are one of a quarter of the noise.
    sigma = brentq(lambda m: analytic_delta(1.0, m) - 1e-5, 0.01, 1000)
    whole = brentq(lambda e: analytic_delta(e, sigma / 4) - 1e-5, 0.01, 100)
    np.testing.assert_allclose(spent[2], whole, rtol=5e-3)
    assert spent[2] >= whole * (1 - 1e-9)  # rounded up, never down


def test_releases_allowed_is_the_largest_number_that_fits():
    defense = chain(clip_norm(1.0, 1), laplace_mechanism(0.5))
    count = defend.releases_allowed(defense, (5,), epsilon=3.0, delta=1e-6)
    assert count >= 6  # basic composition alone allows six
    assert defend.privacy_spent(defense, (5,), releases=count, delta=1e-6) <= 3.0
    assert defend.privacy_spent(defense, (5,), releases=count + 1, delta=1e-6) > 3.0
    assert defend.releases_allowed(defense, (5,), epsilon=0.1, delta=1e-6) == 0


def test_plain_noise_after_a_clip_can_be_accounted_for_too():
    defense = chain(clip_norm(1.0), defend.gaussian_noise(2.0))
    expected = brentq(lambda e: analytic_delta(e, 1.0) - 1e-5, 0.01, 100)
    np.testing.assert_allclose(defend.privacy_spent(defense, (5,), delta=1e-5), expected, rtol=1e-3)


def in_half_precision(mechanism, **options):
    return defend.apply(chain(clip_norm(1.0), mechanism), jnp.ones(3, jnp.bfloat16), key=KEY, **options)


def spent(**options):
    defense = chain(clip_norm(1.0), gaussian_mechanism(1.0, 1e-5))
    return defend.privacy_spent(defense, (3,), delta=1e-5, **options)


def test_near_neighbours_with_a_proof_spend_less():
    near = spent(neighbours=defend.within(1.0, proof="replace-one stability of the trainer"))
    sigma = 2 * brentq(lambda m: analytic_delta(1.0, m) - 1e-5, 0.01, 1000)
    whole = brentq(lambda e: analytic_delta(e, sigma) - 1e-5, 0.01, 100)
    np.testing.assert_allclose(near, whole, rtol=5e-3)
    assert spent(neighbours=defend.within(5.0, proof="said")) == spent()


def test_a_set_of_one_array_spends_nothing():
    defense = chain(defend.clip_values(2.0, 2.0), defend.gaussian_noise(1.0))
    assert defend.privacy_spent(defense, (3,), delta=1e-5) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_mechanism(0.0, 1e-5), "epsilon=0.0"),
        (lambda: gaussian_mechanism(1.0, 0.0), "delta=0.0"),
        (lambda: gaussian_mechanism(1.0, 1.0), "delta=1.0"),
        (lambda: gaussian_mechanism("1", 0.1), "epsilon='1'"),
        (lambda: jax.jit(lambda e: gaussian_mechanism(e, 0.1).apply)(1.0), "must have a value"),
        (lambda: jax.jit(lambda d: gaussian_mechanism(1.0, d).apply)(0.1), "delta="),
        (lambda: in_half_precision(gaussian_mechanism(1.0, 1e-5)), "attribution.dtype='bfloat16'"),
        (lambda: in_half_precision(laplace_mechanism(1.0)), "convert the attribution to float32"),
        (lambda: in_half_precision(gaussian_mechanism(1.0, 1e-5), sampler="exact"), "dtype='bfloat16'"),
        (lambda: defend.apply(clip_norm(1.0), jnp.arange(3), key=KEY), "dtype='int32': must be a floating"),
        (lambda: spent(releases=1.5), "releases=1.5: must be a whole number"),
        (lambda: spent(neighbours=defend.within(0.1)), "is an assumption"),
        (lambda: laplace_mechanism(-1.0), "epsilon=-1.0"),
        (lambda: defend.apply(gaussian_mechanism(1.0, 1e-5), jnp.zeros(3), key=KEY), "put clip_norm"),
        (lambda: defend.apply(laplace_mechanism(1.0), jnp.zeros(3), key=KEY), "put clip_norm"),
        (lambda: defend.privacy_spent(clip_norm(1.0), (3,), delta=1e-5), "draws no noise"),
        (lambda: defend.privacy_spent(defend.gaussian_noise(1.0), (3,), delta=1e-5), "unbounded"),
        (lambda: defend.privacy_spent(gaussian_mechanism(1.0, 1e-5), (3,), delta=2.0), "delta=2.0"),
        (
            lambda: defend.releases_allowed(gaussian_mechanism(1.0, 1e-5), (3,), epsilon=0, delta=0.1),
            "epsilon=0",
        ),
    ],
)
def test_claims_that_cannot_be_made_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
