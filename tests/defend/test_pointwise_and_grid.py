"""Transforms value by value: against NumPy in float64, and what they do with odd inputs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax._validate import UsageError

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = (RNG.standard_t(2, (6, 5)) * 2).astype(np.float32)


def released(defense, x, **options):
    return np.asarray(defend.apply(defense, jnp.asarray(x), key=KEY, **options), np.float64)


@pytest.mark.parametrize(
    ("defense", "oracle"),
    [
        (defend.absolute(), np.abs),
        (defend.rectify(), lambda x: np.where(x > 0, x, 0)),
        (defend.scale(-2.5), lambda x: -2.5 * x),
        (defend.drop_below(0.7), lambda x: np.where(np.abs(x) >= 0.7, x, 0)),
        (defend.quantize(0.25), lambda x: np.rint(x / 0.25) * 0.25),
        (defend.round_to(1), lambda x: np.round(x, 1)),
        (defend.round_to(-1), lambda x: np.round(x / 10) * 10),
        (defend.sign(), np.sign),
        (defend.normalize(1), lambda x: x / np.abs(x).sum()),
        (defend.normalize(2), lambda x: x / np.sqrt((x**2).sum())),
        (defend.normalize(math.inf), lambda x: x / np.abs(x).max()),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_transform_equals_numpy(defense, oracle):
    np.testing.assert_allclose(released(defense, X), oracle(X.astype(np.float64)), rtol=1e-6, atol=1e-6)
    compiled = jax.jit(jax.vmap(lambda x: defend.apply(defense, x, key=KEY)))(jnp.stack([X, 2 * X]))
    np.testing.assert_allclose(compiled[0], released(defense, X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("norm", [1, 2, math.inf])
def test_normalize_of_huge_tiny_and_zero_arrays(norm):
    for size in (3e38, 1e-30, 1.0):
        out = released(defend.normalize(norm), np.full(4, size))
        np.testing.assert_allclose(np.linalg.norm(out, ord=norm), 1.0, rtol=5e-6)
    np.testing.assert_array_equal(released(defend.normalize(norm), np.zeros(4)), 0)
    assert np.isfinite(released(defend.normalize(norm), [np.nan, np.inf, 1.0])).all()


@pytest.mark.parametrize("name", ["absolute", "rectify", "sign", "normalize"])
def test_not_a_number_counts_as_zero(name):
    out = released(getattr(defend, name)(), [np.nan, 2.0, -1.0])
    assert out[0] == 0
    assert np.isfinite(out).all()


def test_random_mask_zeroes_its_share_and_keeps_the_rest():
    x = np.ones(200_000, np.float32)
    out = released(defend.random_mask(0.3), x)
    assert set(np.unique(out)) == {0.0, 1.0}
    # Within five standard errors of a binomial share.
    assert abs((out == 0).mean() - 0.3) < 5 * math.sqrt(0.3 * 0.7 / len(x))
    np.testing.assert_array_equal(released(defend.random_mask(0.0), X), X.astype(np.float64))
    np.testing.assert_array_equal(released(defend.random_mask(1.0), X), 0)


def test_laplace_noise_has_its_scale():
    noise = released(defend.laplace_noise(0.4), np.zeros(400_000))
    # Mean magnitude and share beyond one scale, within five standard errors.
    assert abs(np.abs(noise).mean() - 0.4) < 5 * 0.4 / math.sqrt(noise.size)
    beyond = math.exp(-1)
    assert abs((np.abs(noise) > 0.4).mean() - beyond) < 5 * math.sqrt(beyond * (1 - beyond) / noise.size)


@pytest.mark.parametrize("cosine", [0.98, 0.5])
def test_cosine_noise_leaves_the_cosine_that_it_names_at_any_size(cosine):
    for size in (64, 784):
        x = jnp.asarray(RNG.normal(size=size), jnp.float32)
        chained = defend.chain(defend.normalize(), defend.cosine_noise(cosine))
        noisy = jax.vmap(lambda key: defend.apply(chained, x, key=key))(jax.random.split(KEY, 2000))  # noqa: B023
        noisy = np.asarray(noisy, np.float64)
        cosines = noisy @ np.asarray(x, np.float64) / np.linalg.norm(noisy, axis=1) / np.linalg.norm(x)
        assert abs(cosines.mean() - cosine) < 0.01


def test_cosine_noise_needs_a_bound():
    with pytest.raises(UsageError, match="put normalize"):
        defend.apply(defend.cosine_noise(0.9), jnp.ones(3), key=KEY)


@pytest.mark.parametrize(
    ("factory", "good", "bad"),
    [
        (defend.scale, [0.5, -1.0], [0.0, math.inf, math.nan, "a"]),
        (defend.drop_below, [0.0, 1.0], [-0.1, math.inf, "a"]),
        (defend.quantize, [0.1], [0.0, -1.0, math.inf, "a"]),
        (defend.round_to, [0, 3], [0.5, True, 31, "a"]),
        (defend.random_mask, [0.0, 1.0], [-0.1, 1.1, "a"]),
        (defend.cosine_noise, [1.0, 0.1], [0.0, 1.1, -0.5, math.nan, "a"]),
        (defend.laplace_noise, [0.0], [-1.0, math.inf, "a"]),
        (defend.normalize, [1, 2, math.inf], [3, 0]),
        (defend.coarsen, [1, (2, 3)], [0, -1, 1.5, True, (2, 0)]),
        (defend.upsample, [2], [0, 0.5]),
        (defend.project_out, ["one", "one,x,x2,positive"], ["", "one,one", "y"]),
    ],
)
def test_hyperparameters_out_of_range_are_refused(factory, good, bad):
    for value in good:
        factory(value)
    for value in bad:
        with pytest.raises(UsageError):
            factory(value)


def test_a_thousand_settings_run_in_one_compiled_call():
    x = jnp.asarray(X)

    def run(threshold, step, factor):
        chain = defend.chain(defend.drop_below(threshold), defend.quantize(step), defend.scale(factor))
        return defend.apply(chain, x, key=KEY)

    settings = RNG.uniform(0.1, 2, (3, 1000)).astype(np.float32)
    many = jax.jit(jax.vmap(run))(*settings)
    for i in (0, 500, 999):
        np.testing.assert_allclose(many[i], run(*(float(s) for s in settings[:, i])), rtol=1e-5, atol=1e-6)
