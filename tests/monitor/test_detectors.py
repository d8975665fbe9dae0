"""Each detector against a slow loop in float64 that follows its definition."""

import math

import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

from leakjax._validate import UsageError
from leakjax.monitor import (
    coarse_hashing,
    distance_distribution,
    entropy,
    off_distribution,
    run,
    successive_steps,
)
from leakjax.monitor.distances import normality
from leakjax.monitor.shapiro_wilk import weights
from tests.monitor.streams import records, stream


def scores_of(monitor, xs):
    return np.asarray(run(monitor, jnp.asarray(xs, jnp.float32))[1], np.float64)


def test_off_distribution_counts_what_the_whitened_distance_puts_outside():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(400, 5)) @ np.diag([2.0, 1.0, 0.5, 0.1, 0.0]) + 3.0
    xs = np.concatenate(
        [points[:40], points[:40] + np.array([0, 0, 0, 0, 0.4]), generator.normal(size=(40, 5))]
    )
    xs = xs[generator.permutation(len(xs))]
    noise, window = 0.2, 10
    mean, covariance = points[::2].mean(axis=0), np.cov(points[::2].T, ddof=0)
    variance, axes = np.linalg.eigh(covariance)
    distance = lambda x: math.sqrt(
        sum(((x - mean) @ axes[:, i]) ** 2 / max(variance[i], noise**2) for i in range(5))
    )
    limit = np.quantile([distance(x) for x in points[1::2]], 0.9)
    count, expected = 0.0, []
    for x in xs:
        count = count * (1 - 1 / window) + (distance(x) > limit)
        expected.append(count)
    found = scores_of(off_distribution(points, noise=noise, quantile=0.9, window=window), xs)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert 1 < max(expected) < window
    # Without the sensor's noise as floor, the feature that is constant would put all shifted records outside.
    strict = scores_of(off_distribution(points, noise=1e-3, quantile=0.9, window=window), xs)
    assert strict.max() > found.max()


def test_directions_beyond_the_rank_count_as_one_of_their_mean_variance():
    points = np.random.default_rng(1).normal(size=(2000, 6)) * [3, 2, 1, 1, 1, 1]
    monitor = off_distribution(points, noise=0.1, quantile=0.99, rank=2, window=1)
    along, across = np.zeros((2, 6))
    along[0], across[3] = 8.0, 8.0
    assert scores_of(monitor, [along, across]).tolist() == [0.0, 1.0]


def test_steps_are_the_running_mean_of_cosines():
    xs, window = stream(120), 8
    mean, last, step, expected = 0.0, None, None, []
    for x in np.asarray(xs, np.float64):
        if last is not None and np.any(x != last):
            if step is not None:
                cosine = abs(step @ (x - last)) / np.linalg.norm(step) / np.linalg.norm(x - last)
                mean += (cosine - mean) / window
            step = x - last
        last = x
        expected.append(mean)
    np.testing.assert_allclose(scores_of(successive_steps(12, window=window), xs), expected, atol=2e-4)
    assert 0.3 < np.mean(expected) < 0.7
    line = np.linspace(0, 1, 80)[:, None] * np.ones(12)
    assert scores_of(successive_steps(12, window=window), line)[-1] > 0.99


def slow_prada(xs, label, classes, capacity, recent):
    grown, distances, scores = [], [], []
    limit, took = [0.0] * classes, [[] for _ in range(classes)]
    for x in np.asarray(xs, np.float64):
        own = label(x)
        others = [y for y, c in grown[-capacity:] if c == own]
        if others:
            d = min(np.linalg.norm(x - y) for y in others)
            distances.append(d)
            if d > limit[own]:
                took[own].append(d)
                limit[own] = max(limit[own], np.mean(took[own]) - np.std(took[own]))
                grown.append((x, own))
        else:
            grown.append((x, own))
        if len(distances) < recent:
            scores.append(0.0)
            continue
        last = np.array(distances[-recent:])
        last = last[np.abs(last - last.mean()) <= 3 * last.std()]
        scores.append(1 - stats.shapiro(last).statistic)
    return np.array(scores)


@pytest.mark.parametrize(("classes", "capacity"), [(1, 64), (2, 10)])
def test_the_test_of_distances_is_pradas(classes, capacity):
    xs = np.random.default_rng(4).normal(size=(160, 6)).astype(np.float32)
    xs[90:] = xs[0] + 0.1 * xs[90:]
    classify = (lambda x: (x[0] > 0).astype(jnp.int32)) if classes == 2 else None
    monitor = distance_distribution(6, classify=classify, classes=classes, capacity=capacity, recent=30)
    label = (lambda x: int(x[0] > 0)) if classes == 2 else (lambda x: 0)
    expected = slow_prada(xs, label, classes, capacity, 30)
    np.testing.assert_allclose(scores_of(monitor, xs), expected, atol=2e-4)
    assert expected[89] < 0.1 < expected.max()


@pytest.mark.parametrize("size", [3, 5, 12, 64])
def test_w_is_that_of_scipy(size):
    values = np.random.default_rng(size).exponential(size=size).astype(np.float32)
    inside = values[np.abs(values - values.mean()) <= 3 * values.std()]
    expected = stats.shapiro(inside.astype(np.float64)).statistic
    assert float(normality(jnp.asarray(values), weights(size).astype(np.float32))) == pytest.approx(
        expected, abs=2e-5
    )
    assert float(normality(jnp.full(size, 0.3), weights(size).astype(np.float32))) == 0.0


def slow_matches(xs, low, high, levels, length, capacity, share, window, salt):
    """The share of common hashes, by Python's integers."""
    generator = np.random.Generator(np.random.PCG64(salt))
    odd = [int(each) * 2 + 1 for each in generator.integers(0, 2**31, size=length, dtype=np.uint32)]
    start = int(generator.integers(0, 2**32, dtype=np.uint32))

    def mixed(value):
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            value = ((value ^ (value >> shift)) * factor) % 2**32
        return value ^ (value >> 16)

    held, count, scores = [], 0.0, []
    for x in xs:
        coarse = [math.floor(value) for value in (x - np.float32(low)) / np.float32(high - low) * levels]
        found = {}
        for at in range(len(x) - length + 1):
            value = mixed((start + sum(o * c for o, c in zip(odd, coarse[at:], strict=False))) % 2**32)
            found[at % 64] = max(found.get(at % 64, 0), value | 1)
        common = [sum(other.get(k) == v for k, v in found.items()) for other in held[-capacity:]]
        count = count * (1 - 1 / window) + (max(common, default=0) > share * len(found))
        held.append(found)
        scores.append(count)
    return scores


def test_coarse_hashes_match_what_is_nearly_the_same():
    xs = stream(120, features=100, seed=5)
    options = {"low": 0.0, "high": 1.0, "levels": 8, "length": 3, "capacity": 5, "share": 0.4, "window": 16}
    expected = slow_matches(xs, **options, salt=7)
    np.testing.assert_allclose(scores_of(coarse_hashing(100, **options, salt=7), xs), expected, rtol=1e-5)
    assert 1 < max(expected) < 16
    apart = np.random.default_rng(0).random((60, 100))
    assert scores_of(coarse_hashing(100, **options), apart)[-1] == 0


def test_entropy_is_that_of_the_histogram():
    points = np.random.default_rng(6).beta(0.3, 0.3, size=(50, 30))
    xs, window = stream(60, features=30), 5
    low, high = np.float32(points.min()), np.float32(points.max())

    def slow(x):
        places = np.clip(np.floor((x.astype(np.float32) - low) / (high - low) * 8), 0, 7)
        shares = np.array([np.mean(places == place) for place in range(8)])
        return -sum(s * math.log(s) for s in shares if s > 0)

    mean, expected = float(np.mean([slow(x) for x in points])), []
    for x in xs:
        mean += (slow(x) - mean) / window
        expected.append(mean)
    np.testing.assert_allclose(scores_of(entropy(points, bins=8, window=window), xs), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: off_distribution(records(3), noise=0.1), "points=3: must be at least 4"),
        (lambda: off_distribution(records(9), noise=0.0), "noise=0.0: must be above 0"),
        (lambda: off_distribution(records(9), noise=0.1, quantile=1.0), "quantile=1.0: must be above 0 and"),
        (lambda: successive_steps(3, window=0), "window=0: must be at least 1"),
        (lambda: distance_distribution(3, recent=2), "recent=2: must be at least 3"),
        (lambda: coarse_hashing(3, low=1.0, high=1.0), "high=1.0: must be above low=1.0"),
        (lambda: coarse_hashing(3, low=0.0, high=1.0, length=4), "length=4: must be at most the 3 features"),
        (lambda: entropy(np.ones((4, 2))), "points='all values 1': must have values that differ"),
    ],
)
def test_what_a_detector_cannot_do_is_one_clear_line(make, said):
    with pytest.raises(UsageError) as error:
        make()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
