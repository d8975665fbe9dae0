"""Sensitivities against a brute-force search over pairs, with defenses written anew in NumPy float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.defend import (
    chain,
    clip_norm,
    clip_values,
    gaussian_noise,
    identity,
    keep_top_k,
    lift,
    release,
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


def search(stages, size, norm, rng, inputs=1200, rounds=60):
    """The largest distance found between releases: every pair of many inputs, then climbing from the best pair."""

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
    """The bound is not exceeded, and is attained by the witness where exact; returns (exact, bound / found)."""
    rng = np.random.default_rng(seed)
    bound = sensitivity(build(stages), (size,), norm=norm)
    found = search(stages, size, norm, rng)
    label = f"{stages} size={size} norm={norm} bound={bound}"
    if math.isinf(bound.value):
        assert found > 20, label
        return True, 1.0
    assert found <= bound.value * (1 + 1e-9), f"{label} found={found}"
    witness = np.asarray(bound.witness, np.float64)
    attained = np.linalg.norm(np.diff(oracle(stages, witness), axis=0)[0], ord=norm)
    assert attained <= bound.value * (1 + 1e-6), label
    if bound.exact:
        np.testing.assert_allclose(attained, bound.value, rtol=1e-6, atol=1e-9, err_msg=label)
        hardened = build(stages)
        one, other = (np.asarray(release(hardened, x, key=KEY), np.float64) for x in bound.witness)
        np.testing.assert_allclose(np.linalg.norm(one - other, ord=norm), bound.value, rtol=1e-4, err_msg=label)
    return bool(bound.exact), bound.value / max(found, attained, 1e-12)
