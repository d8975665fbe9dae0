"""Sensitivities against a brute-force search over pairs, with defenses written anew in NumPy float64."""

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
    identity,
    keep_top_k,
    lift,
    parse,
    sensitivity,
)

INF = math.inf
KEY = jax.random.key(0)


def oracle(stages, x):
    """A chain of (name, *numbers) on the rows of x [rows, size], float64."""
    for name, *numbers in stages:
        if name == "clip_values":
            x = np.minimum(np.maximum(x, numbers[0]), numbers[1])
        elif name == "clip_norm":
            lengths = np.linalg.norm(x, ord=numbers[1], axis=-1, keepdims=True)
            x = np.where(lengths > numbers[0], x * (numbers[0] / np.maximum(lengths, 1e-300)), x)
        else:
            kept = np.argsort(-np.abs(x), axis=-1, kind="stable")[:, : numbers[0]]
            mask = np.zeros(x.shape, bool)
            np.put_along_axis(mask, kept, True, axis=-1)
            x = np.where(mask, x, 0.0)
    return x


def build(stages):
    factories = {"clip_values": clip_values, "clip_norm": clip_norm, "keep_top_k": keep_top_k}
    return chain(*(factories[name](*numbers) for name, *numbers in stages))


def search(stages, size, norm, rng, inputs=700, rounds=50):
    """The largest distance found between releases: all pairs of many inputs, then a climb from the best."""

    def draw(rows):
        signs = rng.choice([-1, 0, 1], (rows, size))
        scales = 10.0 ** rng.uniform(-2, 2, (rows, size))
        common = 10.0 ** rng.uniform(-2, 2, (rows, 1))
        return signs * np.where(rng.random((rows, 1)) < 0.5, scales, common)

    def distance(a, b):
        return np.linalg.norm(a - b, ord=norm, axis=-1)

    x = draw(inputs)
    out = oracle(stages, x)
    table = np.stack([distance(out, row) for row in out])
    i, j = np.unravel_index(np.argmax(table), table.shape)
    best, pair = table[i, j], np.stack([x[i], x[j]])
    for round_ in range(rounds):
        step = 0.7 ** (round_ / 3)
        moved = np.repeat(pair[None], 200, axis=0)
        moved = moved * np.exp(step * rng.normal(size=moved.shape))
        moved += step * rng.normal(size=moved.shape) * (rng.random(moved.shape) < 0.3)
        results = distance(oracle(stages, moved[:, 0]), oracle(stages, moved[:, 1]))
        if results.max() > best:
            best, pair = results.max(), moved[np.argmax(results)]
    return best


def random_chain(rng, lopsided=0.5, without_zero=0.0):
    def stage():
        kind = rng.integers(3)
        size = 10.0 ** rng.uniform(-0.5, 0.5)
        if kind == 0:
            if rng.random() < without_zero:
                low, high = sorted(rng.uniform(0.1, 2, 2))
                return ("clip_values", -high, -low) if rng.random() < 0.5 else ("clip_values", low, high)
            low = -(rng.choice([0.0, 10.0 ** rng.uniform(-0.5, 0.5)]) if rng.random() < lopsided else size)
            return ("clip_values", low, size)
        if kind == 1:
            return ("clip_norm", size, [1, 2, INF][rng.integers(3)])
        return ("keep_top_k", int(rng.integers(1, 5)))

    return [stage() for _ in range(rng.integers(1, 5))]


def check(stages, size, norm, seed):
    """The bound is not exceeded, and attained by the witness where exact; returns (exact, bound / found)."""
    rng = np.random.default_rng(seed)
    stages = [(name, min(*rest, size)) if name == "keep_top_k" else (name, *rest) for name, *rest in stages]
    bound = sensitivity(build(stages), (size,), norm=norm)
    found = search(stages, size, norm, rng)
    label = f"{stages} size={size} norm={norm} bound={bound}"
    if math.isinf(bound.value):
        assert found > 20, label
        return True, 1.0
    assert found <= bound.value * (1 + 1e-9) + 1e-12, f"{label} found={found}"
    witness = np.asarray(bound.witness, np.float64)
    attained = np.linalg.norm(np.diff(oracle(stages, witness), axis=0)[0], ord=norm)
    assert attained <= bound.value * (1 + 1e-6), label
    if bound.exact:
        np.testing.assert_allclose(attained, bound.value, rtol=1e-6, atol=1e-9, err_msg=label)
        hardened = build(stages)
        one, other = (np.asarray(apply(hardened, x, key=KEY), np.float64) for x in bound.witness)
        np.testing.assert_allclose(
            np.linalg.norm(one - other, ord=norm), bound.value, rtol=1e-4, err_msg=label
        )
    return bool(bound.exact), bound.value / max(found, attained, 1e-12)


@pytest.mark.parametrize("norm", [1, 2, INF])
@pytest.mark.parametrize("lopsided", [0.0, 0.6])
def test_random_chains_against_search(norm, lopsided):
    rng = np.random.default_rng(int(10 * lopsided))
    exact = [check(random_chain(rng, lopsided), int(rng.integers(1, 6)), norm, seed)[0] for seed in range(12)]
    # Centred intervals are always exact; lopsided ones nearly always, and in L1 and L-infinity always too.
    assert sum(exact) >= (12 if lopsided == 0 or norm != 2 else 10)


@pytest.mark.parametrize("norm", [1, 2, INF])
def test_random_chains_with_intervals_without_zero_against_search(norm):
    rng = np.random.default_rng(5)
    exact = [
        check(random_chain(rng, without_zero=0.7), int(rng.integers(1, 5)), norm, seed)[0]
        for seed in range(10)
    ]
    assert sum(exact) >= 5


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("norm", [1, 2, INF])
@pytest.mark.parametrize(
    "stages",
    [
        [("clip_norm", 1.0, 1), ("clip_norm", 0.8, 2)],
        [("clip_norm", 1.0, 2), ("keep_top_k", 2)],
        [("keep_top_k", 3), ("clip_norm", 1.0, 2)],
        [("clip_values", 0.0, 1.0), ("clip_norm", 1.5, 1)],
        [("clip_values", -0.4, 1.0), ("clip_norm", 1.0, 2)],
        [("clip_values", -0.3, 1.0), ("keep_top_k", 2)],
        [("clip_values", 0.2, 1.0), ("keep_top_k", 2)],
        [("clip_values", 0.2, 1.0), ("keep_top_k", 3), ("clip_values", -1.0, 0.7), ("keep_top_k", 2)],
        [("clip_values", -1.0, -0.2), ("clip_norm", 0.5, 2)],
        [("clip_norm", 9.0, 2), ("clip_values", 0.2, 1.0)],
        [("clip_norm", 1.0, 2), ("clip_values", 0.2, 1.0)],
        [("clip_values", 0.2, 1.0), ("clip_norm", 1.0, 1), ("clip_values", 0.1, 0.9), ("keep_top_k", 1)],
        [("keep_top_k", 2), ("clip_values", 0.2, 1.0)],
    ],
)
def test_named_chains_against_search(stages, norm, size):
    check(stages, size, norm, 0)


@pytest.mark.parametrize(
    ("text", "size", "norm", "value"),
    [
        ("clip_norm(1.5)", 9, 2, 3.0),
        ("clip_norm(1.5)", 9, 1, 2 * 1.5 * 3),
        ("clip_norm(1.5)", 9, INF, 3.0),
        ("clip_norm(1.5, 1)", 9, 2, 3.0),
        ("clip_norm(1.5, inf)", 9, 1, 27.0),
        ("clip_norm(1.5, inf)", 9, 2, 9.0),
        ("keep_top_k(4)+clip_norm(1)", 10, 1, 4.0),
        # Entries that both arrays keep pull apart: what counts is k, also where it is more than half.
        ("keep_top_k(4)+clip_norm(1)", 5, 1, 4.0),
        ("clip_values(-0.6, 0.6)+clip_norm(0.7)", 1, 1, 1.2),
        ("clip_values(0, 2)", 9, 1, 18.0),
        ("clip_values(0, 2)", 9, 2, 6.0),
        # Positive parts cannot cancel: two arrays on separate halves.
        ("clip_values(0, inf)+clip_norm(1)", 8, 2, math.sqrt(2)),
        ("clip_values(0, inf)+clip_norm(1)", 8, 1, 4.0),
        ("clip_values(0, inf)+clip_norm(1, 1)", 8, 1, 2.0),
        ("clip_values(0, 1)+keep_top_k(3)", 4, 1, 4.0),
        # Of 4 entries both keep 3, so they share 2, where they differ by at most 0.5.
        ("clip_values(0.5, 1)+keep_top_k(3)", 4, 1, 3.0),
        ("clip_values(0.5, 1)+keep_top_k(4)", 4, 1, 2.0),
        ("clip_values(0.5, 1)+keep_top_k(2)", 4, 2, 2.0),
        ("clip_values(2, 2)", 4, 2, 0.0),
        ("clip_norm(1)+gaussian_noise(1)", 4, 2, 2.0),
        ("clip_norm(1)+gaussian_noise(1)+clip_norm(0.1)", 4, 2, 2.0),
        ("none", 4, 2, INF),
        ("gaussian_noise(1)+clip_norm(1)", 4, 2, INF),
        ("keep_top_k(2)", 4, 2, INF),
        ("clip_values(-1, inf)", 4, 1, INF),
    ],
)
def test_closed_forms(text, size, norm, value):
    bound = sensitivity(parse(text), (size,), norm=norm)
    assert bound.exact
    np.testing.assert_allclose(bound.value, value, rtol=1e-12)
    assert bound.witness.shape == (2, size)


def test_images_are_measured_without_a_table_of_pairs():
    bound = sensitivity(parse("clip_values(-1, 2)+keep_top_k(5000)+clip_norm(3)"), (224, 224, 3))
    assert bound.exact
    np.testing.assert_allclose(bound.value, 6.0, rtol=1e-12)
    assert bound.witness.shape == (2, 224, 224, 3)


def test_a_lifted_stage_gives_an_upper_bound():
    bound = sensitivity(chain(lift("tanh", jnp.tanh), clip_norm(1.0)), (4,))
    assert not bound.exact
    np.testing.assert_allclose(bound.value, 2.0)


@pytest.mark.parametrize("norm", [1, 2, INF])
def test_traced_hyperparameters_give_the_same_sensitivities(norm):
    def measure(radius, low, high, k):
        stages = (clip_values(low, high), keep_top_k(k), clip_norm(radius, 2), clip_norm(2 * radius, 1))
        return sensitivity(chain(*stages), (7,), norm=norm)

    rng = np.random.default_rng(0)
    radius, high = rng.uniform(0.2, 3, (2, 40)).astype(np.float32)
    low = (-high * rng.choice([0, 0.5, 1, 2], 40)).astype(np.float32)
    k = rng.integers(1, 8, 40)
    many = jax.jit(jax.vmap(measure))(radius, low, high, k)
    for i in range(40):
        one = measure(float(radius[i]), float(low[i]), float(high[i]), int(k[i]))
        np.testing.assert_allclose(many.value[i], one.value, rtol=1e-5)
        assert bool(many.exact[i]) == bool(one.exact)


def test_a_sensitivity_is_concrete_under_jit():
    def doubled(x):
        bound = sensitivity(clip_norm(0.5), x.shape)
        return x * float(bound.value) if bound.exact else x

    np.testing.assert_allclose(jax.jit(doubled)(jnp.ones(3)), 1.0)


def test_another_norm_is_refused():
    with pytest.raises(UsageError, match="norm=3"):
        sensitivity(identity(), (3,), norm=3)
