"""Local randomizers: their epsilon in closed form or by enumeration, and that draws follow the law that has it."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend import finite
from leakjax.defend.privunit import cap as cap_of

KEY = jax.random.key(11)


def draws(defense, x, count, *, key=KEY):
    keys = jax.random.split(key, count)
    return np.asarray(
        jax.jit(jax.vmap(lambda key: defend.apply(defense, jnp.asarray(x, "float32"), key=key)))(keys)
    )


def deviations(counts, probabilities):
    """Chi-square p-value of counts under a law."""
    return stats.chisquare(counts, probabilities * np.sum(counts)).pvalue


@pytest.mark.parametrize(("size", "cosine"), [(4, 0.93), (16, 0.62), (784, 0.098)])
def test_privunit_has_its_mean_cosine_and_exactly_its_epsilon(size, cosine):
    cap = cap_of(size, 8.0)
    np.testing.assert_allclose(cap.cosine, cosine, atol=0.005)
    # The density is chosen / area in the cap and (1 - chosen) / (1 - area) outside it.
    ratio = cap.chosen / cap.area / ((1 - cap.chosen) / (1 - cap.area))
    np.testing.assert_allclose(math.log(ratio), 8.0, rtol=1e-9)
    # The area of a cap is a Student tail: t / sqrt(1 - t^2) sqrt(size - 1).
    student = cap.height / math.sqrt(1 - cap.height**2) * math.sqrt(size - 1)
    np.testing.assert_allclose(stats.t.sf(student, size - 1), cap.area, rtol=1e-6)


@pytest.mark.parametrize("size", [2, 5, 16])
def test_privunit_draws_are_unit_arrays_that_follow_the_two_uniform_parts(size):
    x = np.random.default_rng(0).normal(size=size)
    cap = cap_of(size, 2.0)
    found = draws(defend.privunit(2.0), 7 * x, 40_000).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    cosine = found @ x / np.linalg.norm(x)
    assert abs(cosine.mean() - cap.cosine) < 5 * cosine.std() / 200
    inside = cosine >= cap.height
    assert abs(inside.mean() - cap.chosen) < 5 * math.sqrt(cap.chosen * (1 - cap.chosen) / 40_000)
    # Inside, cosines are those of a uniform direction beyond the height.
    half = (size - 1) / 2
    tail = stats.beta.sf((1 + cosine[inside]) / 2, half, half) / cap.area
    assert stats.kstest(tail, "uniform").pvalue > 1e-3


def test_privunit_of_nothing_and_of_what_is_no_number_is_a_unit_array():
    for x in (np.zeros(5), np.full(5, np.nan), np.full(5, np.inf), np.full(5, 1e-40)):
        np.testing.assert_allclose(np.linalg.norm(draws(defend.privunit(1.0), x, 20), axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("size", "cosine"), [(4, 0.38), (16, 0.20), (784, 0.030)])
def test_privunit_keeps_more_of_the_direction_than_the_analytic_gaussian(size, cosine):
    x = np.random.default_rng(0).normal(size=size)
    gaussian = defend.chain(defend.clip_norm(1.0), defend.gaussian_mechanism(8.0, 1e-5))
    found = draws(gaussian, 9 * x, 4000)
    cosines = found @ x / np.linalg.norm(x) / np.linalg.norm(found, axis=1)
    assert abs(cosines.mean() - cosine) < 5 * cosines.std() / math.sqrt(4000) + 0.005
    assert cap_of(size, 8.0).cosine > 2 * cosine


def signed_sets(size, k):
    """Every array with k values of -1 or 1 and 0 elsewhere."""
    for places in itertools.combinations(range(size), k):
        for signs in itertools.product((-1, 1), repeat=k):
            row = np.zeros(size, int)
            row[list(places)] = signs
            yield tuple(row)


@pytest.mark.parametrize(("size", "k", "epsilon"), [(4, 2, 1.5), (5, 3, 3.0), (3, 3, 0.5), (4, 1, 2.0)])
def test_threshold_mechanism_spends_its_epsilon_by_enumeration_and_draws_follow_its_law(size, k, epsilon):
    law = finite.threshold_law(size, k, epsilon)
    table = {tuple(cell): p for cell, p in zip(law.cells, law.probability, strict=True)}
    outputs = list(signed_sets(size, k))

    def probabilities(true):
        agree = np.array(outputs) * np.array(true)
        return np.array([table[(a == 1).sum(), (a == -1).sum()] for a in agree])

    laws = np.stack([probabilities(true) for true in outputs])
    np.testing.assert_allclose(laws.sum(axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(np.log(laws.max(axis=0) / laws.min(axis=0)).max(), epsilon, rtol=1e-9)
    found = draws(defend.threshold_mechanism(epsilon, k), 3.0 * np.array(outputs[5]) + 0.01, 20_000)
    index = {out: i for i, out in enumerate(outputs)}
    counts = np.bincount([index[tuple(row)] for row in found.astype(int)], minlength=len(outputs))
    assert deviations(counts, laws[5]) > 1e-3


def test_threshold_mechanism_has_the_overlap_that_it_names():
    law = finite.threshold_law(16, 4, 8.0)
    assert law.threshold == 3
    np.testing.assert_allclose(law.overlap, 0.70, atol=0.005)
    # The exponential mechanism weighs by exp(epsilon share of the overlap), whose sum is that of any array.
    weight = law.outputs * np.exp(8.0 * law.cells[:, 0] / 4)
    np.testing.assert_allclose(weight @ law.cells[:, 0] / weight.sum() / 4, 0.43, atol=0.005)


def test_randomized_response_spends_its_epsilon_and_flips_as_often():
    epsilon, size = 3.0, 4
    kept = 1 / (1 + math.exp(-epsilon / size))
    np.testing.assert_allclose(size * math.log(kept / (1 - kept)), epsilon)
    x = np.array([1.0, -2.0, 0.5, -0.1])
    found = draws(defend.randomized_response(epsilon), x, 40_000)
    assert set(np.unique(found)) == {-1.0, 1.0}
    right = found == np.sign(x)
    assert np.all(np.abs(right.mean(axis=0) - kept) < 5 * math.sqrt(kept * (1 - kept) / 40_000))
    both = (right[:, 0] & right[:, 1]).mean()
    assert abs(both - kept**2) < 5 * math.sqrt(kept**2 * (1 - kept**2) / 40_000)


def ranked(scores, k):
    """Probability of each set of k: Plackett and Luce's draws without replacement, all orders of the set."""
    weights, law = np.exp(scores), {}
    for order in itertools.permutations(range(len(scores)), k):
        p, rest = 1.0, weights.sum()
        for i in order:
            p, rest = p * weights[i] / rest, rest - weights[i]
        law[frozenset(order)] = law.get(frozenset(order), 0) + p
    return law


@pytest.mark.parametrize(("size", "k"), [(3, 1), (4, 2)])
def test_noisy_top_k_keeps_within_its_epsilon_by_enumeration_and_draws_follow_its_law(size, k):
    epsilon = 2.0
    corners = [np.array(c) for c in itertools.product((0.0, 1.0), repeat=size)]
    laws = [ranked(c * epsilon / (2 * k), k) for c in corners]
    worst = max(math.log(a[s] / b[s]) for a in laws for b in laws for s in a)
    assert 0.3 * epsilon < worst <= epsilon
    chained = defend.chain(defend.clip_values(0.0, 1.0), defend.noisy_top_k(epsilon, k))
    found = draws(chained, corners[3] * 9, 20_000)
    sets = list(laws[3])
    counts = [sum(frozenset(np.flatnonzero(row)) == s for row in found) for s in sets]
    assert sum(counts) == 20_000
    assert deviations(np.array(counts), np.array([laws[3][s] for s in sets])) > 1e-3


def test_local_randomizers_are_accounted_for():
    for mechanism in (
        defend.privunit(0.5),
        defend.randomized_response(0.5),
        defend.threshold_mechanism(0.5, 2),
    ):
        np.testing.assert_allclose(defend.privacy_spent(mechanism, (4,), delta=1e-9), 0.5, atol=1e-3)
        several = defend.privacy_spent(mechanism, (4,), releases=100, delta=1e-5)
        assert several < 100 * 0.5  # less than by basic composition
        assert defend.releases_allowed(mechanism, (4,), epsilon=1.1, delta=1e-9) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: defend.privunit(0.0), "epsilon=0.0"),
        (lambda: draws(defend.privunit(1.0), np.ones(1), 1), "use randomized_response"),
        (lambda: defend.threshold_mechanism(1.0, 0), "k=0"),
        (lambda: draws(defend.threshold_mechanism(1.0, 4), np.ones(3), 1), "k=4: must be at most 3"),
        (lambda: defend.noisy_top_k(1.0, 1.5), "k=1.5"),
        (lambda: draws(defend.noisy_top_k(1.0, 1), np.ones(3), 1), "unbounded"),
        (lambda: defend.apply(defend.privunit(1.0), jnp.ones(3, "bfloat16"), key=KEY), "bfloat16"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()
