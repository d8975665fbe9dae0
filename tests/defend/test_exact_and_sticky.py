"""Exact sampling on the host, one answer a cell, and what averaging many answers tells."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend import Domain, Sticky, chain, clip_norm, exact, gaussian_mechanism, laplace_mechanism

KEY = jax.random.key(2)
SECRET = bytes(range(32))
RNG = np.random.default_rng(0)


def replayed(seed):
    """Bytes of a seeded generator, in place of the operating system's."""
    return np.random.default_rng(seed).bytes


@pytest.mark.parametrize(("kind", "law"), [("gaussian", stats.norm), ("laplace", stats.laplace)])
def test_noise_is_the_rounded_continuous_noise(kind, law):
    count = 400_000
    noise = exact.integer_noise((count,), kind, replayed(1))
    edges = np.array([-2000, -900, -300, -2, -1, 0, 1, 2, 300, 900, 2000])
    # Rounding to the grid: at most m grid steps is below m + 1/2.
    below = law.cdf((edges + 0.5) / exact.STEPS)
    expected = np.diff(np.concatenate([[0], below, [1]]))
    found = np.bincount(np.searchsorted(edges, noise, side="left"), minlength=len(expected))
    assert stats.chisquare(found, expected * count).pvalue > 1e-3


def test_the_least_draw_is_the_largest_magnitude_and_the_largest_is_zero():
    least = exact.integer_noise((1,), "gaussian", lambda count: b"\0" * count)
    assert 9 * exact.STEPS < least[0] < 10 * exact.STEPS
    assert exact.integer_noise((1,), "gaussian", lambda count: b"\xff" * count)[0] == 0


@pytest.mark.parametrize("size", [1, 16, 784])
@pytest.mark.parametrize("bounds", [{"l2": 0.1}, {"l1": 0.7}, {"l2": 1.0, "low": -0.05, "high": 0.3}])
def test_the_grid_keeps_the_set_in_integers(size, bounds):
    domain, step = Domain((size,), **bounds), 0.0007
    for scale in (1e-3, 1.0, 1.0000003):
        values = RNG.normal(size=size)
        values = np.clip(values, domain.low, domain.high)
        for norm, bound in ((1, domain.l1), (2, domain.l2)):
            if bound < math.inf:
                values *= min(1, bound / np.linalg.norm(values, ord=norm))
        whole = exact.on_grid(values * scale, domain, step)
        assert whole.dtype == np.int64
        assert sum(int(w) ** 2 for w in whole) * step**2 <= domain.l2**2 * (1 + 1e-12)
        assert np.abs(whole).sum() * step <= domain.l1 * (1 + 1e-12)
        assert whole.min() * step >= domain.low - 1e-12
        assert whole.max() * step <= domain.high + 1e-12
        np.testing.assert_allclose(
            whole * step, np.clip(values * scale, domain.low, domain.high), atol=1.01 * step
        )


@pytest.mark.parametrize("mechanism", [gaussian_mechanism(2.0, 1e-5), laplace_mechanism(2.0)])
def test_exact_and_ideal_release_have_one_law(mechanism):
    defense = chain(defend.clip_values(-1.0, 1.0), clip_norm(1.0, 1), mechanism, defend.scale(2.0))
    x = jnp.full(20_000, 1.0)
    ideal = defend.apply(defense, x, key=KEY)
    found = defend.apply(defense, x, key=None, sampler="exact", bits=replayed(3))
    assert stats.ks_2samp(np.asarray(ideal), np.asarray(found)).pvalue > 1e-3
    other = defend.apply(defense, x, key=None, sampler="exact")
    assert not np.array_equal(found, other)  # the operating system's own bits


def test_releases_are_multiples_of_the_grid_whatever_enters():
    defense = chain(clip_norm(1.0), gaussian_mechanism(1.0, 1e-5))
    step = float(mechanism_scale(defense, (50,))) / exact.STEPS
    one = np.asarray(
        defend.apply(defense, jnp.asarray(RNG.normal(size=50)), key=None, sampler="exact"), np.float64
    )
    np.testing.assert_allclose(one / step, np.rint(one / step), atol=0.01)


def mechanism_scale(defense, shape):
    return defense.noise.scale(clip_norm(1.0).domain(Domain(shape)))


def test_the_samplers_own_delta_is_charged():
    defense = chain(clip_norm(1.0), gaussian_mechanism(1.0, 1e-5))
    ideal = defend.privacy_spent(defense, (784,), delta=1e-5)
    found = defend.privacy_spent(defense, (784,), delta=1e-5, sampler="exact")
    assert ideal < found < ideal * 1.001
    assert defend.privacy_spent(defense, (784,), delta=1e-12, sampler="exact") == math.inf


@pytest.mark.parametrize(
    ("defense", "message"),
    [
        (clip_norm(1.0), "draws no noise"),
        (gaussian_mechanism(1.0, 1e-5), "unbounded"),
        (chain(clip_norm(1.0), defend.privunit(1.0)), "no other randomness"),
        (chain(defend.clip_values(0.1, 1.0), gaussian_mechanism(1.0, 1e-5)), "put 0 into it"),
        (chain(clip_norm(1.0), laplace_mechanism(1.0), laplace_mechanism(1.0)), "one stage"),
    ],
)
def test_what_has_no_exact_sampler_is_named(defense, message):
    with pytest.raises(UsageError, match=message):
        defend.apply(defense, jnp.ones(3), key=None, sampler="exact")


def test_samplers_and_keys_are_checked():
    with pytest.raises(UsageError, match="sampler='exakt'"):
        defend.apply(clip_norm(1.0), jnp.ones(3), key=KEY, sampler="exakt")
    with pytest.raises(UsageError, match="key=None"):
        defend.apply(clip_norm(1.0), jnp.ones(3), key=None)


W = RNG.normal(size=(40, 40)) / 40


def explain(x):
    return jnp.tanh(jnp.asarray(W, "float32") @ x + 0.3)


DEFENSE = chain(clip_norm(1.0), gaussian_mechanism(4.0, 1e-5))


def cosine(one, other):
    return float(np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("sampler", ["ideal", "exact"])
def test_averaging_repeats_recovers_a_fresh_release_and_not_a_sticky_one(sampler):
    sticky, x = Sticky(SECRET, 0.5), np.zeros(40) + 0.01
    true = np.asarray(explain(sticky.canonical(x)))
    fixed = np.asarray(sticky.release(explain, DEFENSE, x, sampler=sampler))
    fresh = jax.vmap(lambda key: defend.apply(DEFENSE, explain(sticky.canonical(x)), key=key))
    noisy = np.asarray(fresh(jax.random.split(KEY, 1000)))
    found = [cosine(noisy[:repeats].mean(axis=0), true) for repeats in (1, 10, 100, 1000)]
    assert found[0] < 0.5
    assert found == sorted(found)
    assert found[-1] > 0.9
    for _ in range(3):  # the same cell answers the same, also under another sampler object of the same secret
        nearby = x + RNG.uniform(-0.2, 0.2, 40)
        again = np.asarray(Sticky(SECRET, 0.5).release(explain, DEFENSE, nearby, sampler=sampler))
        np.testing.assert_array_equal(again, fixed)


def test_nearby_inputs_of_other_cells_bring_fresh_noise_and_are_counted():
    sticky, x = Sticky(SECRET, 0.5), np.zeros(40)
    true = np.asarray(explain(sticky.canonical(x)))
    queries = [x] + [x + 0.5 * np.eye(40)[i] for i in range(40)]  # one value to the next cell
    assert sticky.distinct([*queries, x + 0.1, x - 0.1]) == 41
    answers = [np.asarray(sticky.release(explain, DEFENSE, q)) for q in queries]
    # Averaging cells attacks: it is what the count of cells charges for.
    assert cosine(np.mean(answers, axis=0), true) > cosine(answers[0], true) + 0.2
    spent = [defend.privacy_spent(DEFENSE, (40,), releases=n, delta=1e-5) for n in (1, 41)]
    assert spent[1] > 4 * spent[0]


@pytest.mark.parametrize("radius", [0.0, 0.1, 0.3, 0.6, 1.1])
def test_cells_within_an_edit_are_those_that_a_search_finds(radius):
    sticky, x = Sticky(SECRET, 0.5), np.array([0.2, -0.24, 1.0])
    grid = np.linspace(-radius, radius, 201)
    each = [len({sticky.cell(np.array([v + d])).tobytes() for d in grid}) for v in x]
    assert sticky.cells_within(x, radius) == math.prod(each)


def test_noise_depends_on_the_secret_the_cell_and_what_it_is_about():
    x = np.zeros(40)
    first = Sticky(SECRET, 0.5).bits(x)(200)
    assert Sticky(SECRET, 0.5).bits(x + 0.1)(200) == first
    others = [
        Sticky(SECRET[::-1], 0.5).bits(x)(200),
        Sticky(SECRET, 0.5).bits(x + 0.3)(200),
        Sticky(SECRET, 0.5).bits(x.reshape(8, 5))(200),
        Sticky(SECRET, 0.5).bits(x, about=b"gradient")(200),
    ]
    assert len({first, *others}) == 5
    source = Sticky(SECRET, 0.5).bits(x)
    assert len({source(64) for _ in range(50)}) == 50
    counts = np.bincount(np.frombuffer(source(200_000), np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Sticky(b"short", 1.0), "at least 16 random bytes"),
        (lambda: Sticky(SECRET, 0.0), "step=0.0"),
        (lambda: Sticky(SECRET, 1.0).cell([math.nan]), "must be finite"),
        (lambda: Sticky(SECRET, 1.0).cells_within([0.0], -1.0), "radius=-1.0"),
    ],
)
def test_bad_input_is_named_and_the_secret_is_not_shown(call, message):
    with pytest.raises(UsageError, match=message) as error:
        call()
    assert "short" not in str(error.value)


@pytest.mark.parametrize(("kind", "tail"), [("gaussian", "erfc"), ("laplace", "exp")])
def test_the_table_of_probabilities_is_as_near_to_the_true_one_as_is_charged(kind, tail):
    """Against 40 digits, by the magnitudes at which draws just below and at a threshold fall."""
    with mpmath.workdps(40):
        worst = mpmath.mpf(0)
        for m in (0, 1, 100, 1024, 4000, 8000):
            z = (mpmath.mpf(m) + mpmath.mpf(1) / 2) / exact.STEPS
            true = mpmath.erfc(z / mpmath.sqrt(2)) if tail == "erfc" else mpmath.exp(-z)
            # The number of draws of 2^64 whose magnitude is above m, by bisection.
            low, high = 0, 2**64
            while high - low > 1:
                middle = (low + high) // 2
                draw = middle.to_bytes(8, "little")
                above = exact.integer_noise((1,), kind, lambda n, draw=draw: draw if n == 8 else b"\0")[0] > m
                low, high = (middle, high) if above else (low, middle)
            # Beside the part that 64 bits cut off.
            off = abs(mpmath.mpf(high) / 2**64 - true) - mpmath.mpf(2) / 2**64
            worst = max(worst, off / true)
        # The charge lets the thresholds, which add up to less than STEPS, be off by this share of themselves.
        assert worst < exact.VARIATION / exact.STEPS
