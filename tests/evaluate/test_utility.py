"""Utility measures against NumPy and SciPy in float64, and on maps with nothing in them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from leakjax.evaluate import utility as u

SHAPE = (5, 4, 2)


def maps(seed):
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=SHAPE).astype(np.float32)
    hardened = (plain + 0.7 * rng.normal(size=SHAPE)).astype(np.float32)
    if seed % 2:  # many ties and zeros
        plain, hardened = np.round(plain), np.round(2 * hardened) / 2
    return plain, hardened


def oracle(plain, hardened):
    a, b = (m.astype(np.float64).ravel() for m in (plain, hardened))
    tops = [set(sorted(np.flatnonzero(m), key=lambda i: (-abs(m[i]), i))[:4]) for m in (a, b)]
    return {
        "cosine_similarity": a @ b / np.linalg.norm(a) / np.linalg.norm(b),
        "relative_change": np.linalg.norm(a - b) / np.linalg.norm(a),
        "top_overlap": len(tops[0] & tops[1]) / len(tops[0]),
        "rank_correlation": scipy.stats.spearmanr(np.abs(a), np.abs(b)).statistic,
    }


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_measures_against_numpy_and_scipy(scale):
    pairs = [maps(seed) for seed in range(10)]
    plain, hardened = (np.stack(side) for side in zip(*pairs, strict=True))
    factor = np.float32(scale)
    found = jax.jit(jax.vmap(u.explanation_change))(plain * factor, hardened * factor)
    assert set(found) == set(u.MEASURES)
    for i, pair in enumerate(pairs):
        for name, value in oracle(*pair).items():
            np.testing.assert_allclose(found[name][i], value, rtol=2e-5, atol=1e-6, err_msg=f"{name} {i}")


def values(plain, hardened):
    found = u.explanation_change(jnp.asarray(plain, jnp.float32), jnp.asarray(hardened, jnp.float32))
    return {name: float(value) for name, value in found.items()}


NOTHING_LOST = {"cosine_similarity": 1, "relative_change": 0, "top_overlap": 1, "rank_correlation": 1}


def test_maps_that_have_nothing_to_do_with_each_other_are_at_chance():
    plain, other = np.random.default_rng(3).normal(size=(2, 500, 200)).astype(np.float32)
    found = jax.jit(jax.vmap(u.explanation_change))(plain, other)
    chance = {"cosine_similarity": 0, "relative_change": 2**0.5, "top_overlap": 0.1, "rank_correlation": 0}
    assert set(chance) == set(u.MEASURES)
    for name, value in chance.items():
        one = np.asarray(found[name], float)
        assert abs(one.mean() - value) < 5 * one.std() / 500**0.5 + 0.004


def test_an_unchanged_map_has_lost_nothing():
    for plain in (maps(0)[0], maps(1)[0], np.eye(10)[0], np.ones(10), np.zeros(10), np.array([3.0])):
        assert values(plain, plain) == pytest.approx(NOTHING_LOST, abs=1e-6)


def test_scaling_changes_the_size_alone():
    plain = maps(0)[0]
    assert values(plain, plain / 4) == pytest.approx({**NOTHING_LOST, "relative_change": 0.75}, abs=1e-6)
    assert values(plain, -plain) == pytest.approx(
        {**NOTHING_LOST, "cosine_similarity": -1, "relative_change": 2}, abs=1e-6
    )


def test_one_empty_map_agrees_in_nothing():
    plain, empty = maps(0)[0], np.zeros(SHAPE)
    lost = {"cosine_similarity": 0, "top_overlap": 0, "rank_correlation": 0}
    assert values(plain, empty) == {**lost, "relative_change": 1}
    assert values(empty, plain) == {**lost, "relative_change": np.inf}


def test_top_overlap_looks_at_a_tenth_and_at_one_feature_at_least():
    plain = jnp.arange(1.0, 31.0)  # top: the last three
    kept = jnp.where(jnp.arange(30) == 28, plain, 0.0)
    np.testing.assert_allclose(u.top_overlap(plain, kept), 1 / 3)
    np.testing.assert_allclose(u.top_overlap(plain, kept, share=0.5), 1 / 15)
    np.testing.assert_allclose(u.top_overlap(jnp.array([1.0, 2.0]), jnp.array([0.0, -1.0])), 1)
