"""Each transform: what it computes, that its bound holds in float64, and what it does with odd inputs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.defend import (
    apply,
    chain,
    clip_norm,
    clip_values,
    gaussian_noise,
    keep_top_k,
    keep_top_share,
    sensitivity,
)

KEY = jax.random.key(0)
INF = math.inf
NORMS = (1, 2, INF)


def length(x, norm):
    return np.linalg.norm(np.asarray(x, np.float64).reshape(-1), ord=norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [1, 3, 64, 784, 20_000])
def test_clip_norm_stays_inside_in_float64_and_close_to_the_sphere(norm, size):
    rng = np.random.default_rng(size)
    settings = 200 if size < 1000 else 4
    xs = (rng.standard_t(2, (settings, size)) * 10.0 ** rng.uniform(-3, 3, (settings, 1))).astype(np.float32)
    for radius in (0.1, 1.0, 7.3):
        clipped = np.asarray(jax.vmap(lambda x: apply(clip_norm(radius, norm), x, key=KEY))(xs))  # noqa: B023
        for x, y in zip(xs, clipped, strict=True):
            before, after = length(x, norm), length(y, norm)
            assert after <= radius
            if before < radius * (1 - 1e-4):
                np.testing.assert_array_equal(y, x)
            else:
                assert after >= min(before, radius) * (1 - 1e-5)
                np.testing.assert_allclose(y / after, x / before, rtol=2e-5, atol=1e-30)


@pytest.mark.parametrize("norm", NORMS)
def test_what_lies_on_the_sphere_is_kept_to_rounding(norm):
    clip = clip_norm(1.0, norm)
    x = apply(clip, jax.random.normal(KEY, (50,)), key=KEY)
    np.testing.assert_allclose(apply(clip, x, key=KEY), x, rtol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("radius", [1e-30, 1e-3, 1.0, 1e30])
def test_clip_norm_bounds_every_odd_input(norm, radius):
    odd = [
        np.zeros(4),
        np.full(4, 3.4e38),
        np.full(4, -3.4e38),
        np.full(4, 1e-40),
        np.array([3e38, 1e-40, 0, -1]),
        np.array([np.nan, 1, 2, np.nan]),
        np.array([np.inf, 1, -np.inf, np.nan]),
        np.full(4, np.nan),
        np.full(4, np.inf),
    ]
    eager = [apply(clip_norm(radius, norm), jnp.asarray(x, jnp.float32), key=KEY) for x in odd]
    xs = jnp.asarray(np.stack(odd), jnp.float32)
    compiled = jax.jit(jax.vmap(lambda x: apply(clip_norm(radius, norm), x, key=KEY)))(xs)
    for x, y in zip(odd * 2, np.stack([*eager, *compiled]), strict=True):
        assert np.all(np.isfinite(y)), x
        assert length(y, norm) <= radius, x
        assert np.all(y[np.isnan(x)] == 0)
        if radius == 1.0 and np.max(np.abs(np.nan_to_num(x))) > 1:
            assert length(y, norm) > 0.9999, x


def test_infinity_takes_the_direction_of_the_largest_float():
    y = apply(clip_norm(1.0, 1), jnp.array([INF, 1.0, -INF, jnp.nan]), key=KEY)
    np.testing.assert_allclose(y, [0.5, 0, -0.5, 0], atol=1e-5)


def test_clip_norm_of_no_values_is_empty():
    assert apply(clip_norm(1.0), jnp.zeros((0,)), key=KEY).shape == (0,)


def test_clip_norm_with_traced_radius_stays_inside_what_the_float32_radius_is():
    radii = np.random.default_rng(0).uniform(0.1, 3, 500).astype(np.float32)
    x = jax.random.normal(KEY, (97,)) * 5
    clipped = jax.jit(jax.vmap(lambda radius: apply(clip_norm(radius), x, key=KEY)))(radii)
    assert np.all(np.linalg.norm(np.asarray(clipped, np.float64), axis=1) <= radii.astype(np.float64))


def test_clip_norm_under_x64_keeps_float64(x64):
    y = apply(clip_norm(0.1), jnp.arange(5.0), key=KEY)
    assert y.dtype == jnp.float64
    assert 0.1 - 1e-14 < length(y, 2) <= 0.1


def test_clip_values_stays_inside_in_float64_and_clips():
    x = jnp.array([-5.0, -0.1, 0.05, 0.7, 0.70001])
    y = np.asarray(apply(clip_values(-0.1, 0.7), x, key=KEY), np.float64)
    assert y.min() >= -0.1
    assert y.max() <= 0.7
    np.testing.assert_allclose(y, [-0.1, -0.1, 0.05, 0.7, 0.7], rtol=1e-6)


def test_clip_values_reads_nan_as_zero_and_takes_open_ends():
    x = jnp.array([jnp.nan, INF, -INF])
    np.testing.assert_array_equal(apply(clip_values(-1, 2), x, key=KEY), [0, 2, -1])
    np.testing.assert_array_equal(apply(clip_values(0.5, 2), x, key=KEY), [0.5, 2, 0.5])
    positive = np.asarray(apply(clip_values(0, INF), x, key=KEY))
    np.testing.assert_array_equal(positive, [0, np.finfo(np.float32).max, 0])


def test_keep_top_k_keeps_the_largest_with_their_signs():
    x = jnp.array([[1.0, -4.0, 2.0], [0.5, 3.0, -0.1]])
    np.testing.assert_array_equal(apply(keep_top_k(2), x, key=KEY), [[0, -4, 0], [0, 3, 0]])
    np.testing.assert_array_equal(apply(keep_top_k(6), x, key=KEY), x)


@pytest.mark.parametrize(("share", "kept"), [(0.01, 1), (0.2, 1), (0.3, 2), (0.5, 3), (1.0, 6)])
def test_keep_top_share_keeps_as_many_as_it_says_of_any_size(share, kept):
    x = jnp.array([[1.0, -4.0, 2.0], [0.5, 3.0, -0.1]])
    np.testing.assert_array_equal(
        apply(keep_top_share(share), x, key=KEY), apply(keep_top_k(kept), x, key=KEY)
    )
    traced = jax.jit(lambda share: apply(keep_top_share(share), x, key=KEY))(share)
    np.testing.assert_array_equal(traced, apply(keep_top_k(kept), x, key=KEY))
    chained = (clip_values(-1.0, 2.0), keep_top_share(share))
    same = (clip_values(-1.0, 2.0), keep_top_k(kept))
    assert sensitivity(chain(*chained), (2, 3)).value == sensitivity(chain(*same), (2, 3)).value


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UsageError, match="share="):
        keep_top_share(share)


def test_keep_top_k_signed_keeps_the_largest_values():
    x = jnp.array([[1.0, -4.0, 2.0], [0.5, 3.0, -0.1]])
    np.testing.assert_array_equal(apply(keep_top_k(2, signed=True), x, key=KEY), [[0, 0, 2], [0, 3, 0]])
    np.testing.assert_array_equal(
        apply(keep_top_k(5, signed=True), x, key=KEY), np.float32([[1, 0, 2], [0.5, 3, -0.1]])
    )
    assert keep_top_k(2, True).name == "keep_top_k(2, signed=True)"


@pytest.mark.parametrize("signed", [False, True])
def test_keep_top_k_of_more_than_there_are_is_refused(signed):
    with pytest.raises(UsageError, match="k=7: must be at most 6"):
        apply(keep_top_k(7, signed), jnp.ones((2, 3)), key=KEY)
    with pytest.raises(UsageError, match="k=7: must be at most 6"):
        sensitivity(keep_top_k(7, signed), (2, 3))


def test_keep_top_k_breaks_ties_by_position():
    x = jnp.array([1.0, -2.0, 2.0, -2.0, 1.0])
    np.testing.assert_array_equal(apply(keep_top_k(2), x, key=KEY), [0, -2, 2, 0, 0])
    np.testing.assert_array_equal(apply(keep_top_k(4), x, key=KEY), [1, -2, 2, -2, 0])


def test_keep_top_k_reads_nan_as_zero_and_infinity_as_the_largest():
    kept = np.asarray(apply(keep_top_k(1), jnp.array([3.0, jnp.nan, -INF]), key=KEY))
    np.testing.assert_array_equal(kept, [0, 0, -np.finfo(np.float32).max])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: clip_norm(0.0), "radius=0.0"),
        (lambda: clip_norm(-1.0), "radius=-1.0"),
        (lambda: clip_norm(INF), "radius=inf"),
        (lambda: clip_norm(math.nan), "radius=nan"),
        (lambda: clip_norm("1"), "radius='1'"),
        (lambda: clip_norm(True), "radius=True"),
        (lambda: clip_norm(jnp.ones(3)), "radius="),
        (lambda: clip_norm(1.0, 3), "norm=3"),
        (lambda: clip_values(1.0, 0.0), "low=1.0"),
        (lambda: clip_values(math.nan, 0.0), "low=nan"),
        (lambda: clip_values(0.0, math.nan), "high=nan"),
        (lambda: clip_values(INF, INF), "low=inf"),
        (lambda: keep_top_k(0), "k=0"),
        (lambda: keep_top_k(2.5), "k=2.5"),
        (lambda: keep_top_k(math.nan), "k=nan"),
        (lambda: gaussian_noise(-0.1), "sigma=-0.1"),
        (lambda: gaussian_noise(INF), "sigma=inf"),
    ],
)
def test_bad_hyperparameters_are_named_with_their_value(make, named):
    with pytest.raises(UsageError, match=r"must be") as error:
        make()
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_concrete_jax_scalars_are_hyperparameters_inside_jit_too():
    radius = jnp.float32(0.5)
    clipped = jax.jit(lambda x: apply(clip_norm(radius), x, key=KEY))(jnp.ones(4))
    assert length(clipped, 2) <= 0.5
    assert clip_norm(radius).name == "clip_norm(0.5, norm=2)"
