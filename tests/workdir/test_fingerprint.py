"""Fingerprints: equal for what is equal, in another process too, and different for whatever decides a result."""

import dataclasses
import enum
import os
import subprocess
import sys
from collections import namedtuple
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax._workdir.functions import traced

ROOT = Path(__file__).parents[2]
X = jax.ShapeDtypeStruct((3,), jnp.float32)


@dataclasses.dataclass(frozen=True)
class Settings:
    rate: float
    steps: int


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


Pair = namedtuple("Pair", "left right")
DIFFERENT = [
    *(None, True, False, 0, 1, 0.0, -0.0, 1.0, 2.0, "", "1", b"1", 1j, float("nan")),
    *([], [1], [[1]], [1, 1], [1, [1]], [11], ["a", "b"], ["ab"], ["a,b"], {}, {"a": 1}, {"a": 2}, {"b": 1}),
    *({1, 2}, {1}, Colour.RED, Colour.BLUE, int, float, np.dtype("f4"), Path("a"), Pair(1, 2), [1, 2]),
    *(Settings(1.0, 1), Settings(1.0, 2), np.arange(4), np.arange(4.0), np.arange(4).reshape(2, 2)),
    *(
        np.arange(4, dtype=np.int32),
        np.arange(4)[::-1],
        np.array(["a", "b"]),
        np.zeros((0, 2)),
        np.zeros((0, 3)),
    ),
    *(np.float32(1), jnp.arange(3, dtype=jnp.bfloat16), jax.random.key(0), jax.random.key(1)),
    *(jax.random.key(0, impl="rbg"), jax.random.key_data(jax.random.key(0))),
]


def test_no_two_different_values_have_one_fingerprint():
    marks = [fingerprint(value=value) for value in DIFFERENT]
    assert len(set(marks)) == len(marks)
    assert marks == [fingerprint(value=value) for value in DIFFERENT]
    assert fingerprint(a=1, b=2) != fingerprint(a=2, b=1)


def test_what_is_equal_has_one_fingerprint():
    x = np.arange(6.0).reshape(2, 3)
    for one, other in (
        (x, x.copy()),
        (x.T, np.ascontiguousarray(x.T)),
        (np.float32(x), jnp.asarray(x, jnp.float32)),
        ([1, 2], (1, 2)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ):
        assert fingerprint(value=one) == fingerprint(value=other)


@pytest.mark.parametrize("value", [lambda x: x, object(), np.array([None]), iter(())])
def test_what_cannot_be_compared_is_refused(value):
    with pytest.raises(TypeError, match="cannot be part"):
        fingerprint(value=value)


def scaled(x, factor=2.0):
    return jnp.sum(factor * x) * jnp.asarray(TABLE)[0]


TABLE = np.array([1.0, 2.0], np.float32)


def loops(x):
    return jax.lax.scan(lambda carry, each: (jax.nn.relu(carry + each), each), 0.0, x)


def call_back(constant, offset=0.0):
    def on_host(x):
        return np.asarray(x) * constant + offset

    return lambda x: jax.pure_callback(on_host, X, x)


FUNCTIONS = {
    "a": scaled,
    "default": partial(scaled, factor=3.0),
    "gradient": jax.grad(scaled),
    "closed over": lambda x: x + np.array([1.0, 2.0, 3.0], np.float32),
    "closed over otherwise": lambda x: x + np.array([1.0, 2.0, 4.0], np.float32),
    "loop": loops,
    "jit": jax.jit(loops),
    "vmap": jax.vmap(jnp.sin),
    "as a list": lambda x: [x],
    "as a dict": lambda x: {"x": x},
    "callback": call_back(2.0),
    "callback closed over": call_back(3.0),
    "callback default": call_back(2.0, 1.0),
    "callback array": call_back(np.arange(3.0)),
    "callback array otherwise": call_back(np.arange(3.0) + 1),
}


def test_a_function_is_what_it_computes():
    marks = {name: traced(function, X) for name, function in FUNCTIONS.items()}
    assert len(set(marks.values())) == len(marks)
    assert traced(lambda y: jnp.sum(2.0 * y) * jnp.asarray(TABLE)[0], X) == marks["a"]
    assert traced(call_back(2.0), X) == marks["callback"]
    assert traced(call_back(np.arange(3.0)), X) == marks["callback array"]
    assert traced(scaled, jax.ShapeDtypeStruct((4,), jnp.float32)) != marks["a"]


def test_a_changed_constant_changes_a_function(monkeypatch):
    before = traced(scaled, X)
    monkeypatch.setitem(globals(), "TABLE", np.array([1.5, 2.0], np.float32))
    assert traced(scaled, X) != before


OFFSET = 1.0


def test_a_changed_global_changes_a_callback(monkeypatch):
    def on_host(x):
        return [x + OFFSET for x in np.asarray(x)]

    def function(x):
        return jax.pure_callback(on_host, X, x)

    before = traced(function, X)
    assert traced(function, X) == before
    monkeypatch.setitem(globals(), "OFFSET", 2.0)
    assert traced(function, X) != before


class Model:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, x):
        return np.asarray(x) * self.weights


def test_an_object_behind_a_callback_counts_with_its_state():
    def of(weights):
        return traced(lambda x: jax.pure_callback(Model(weights).predict, X, x), X)

    assert of(np.ones(3)) == of(np.ones(3))
    assert of(np.ones(3)) != of(np.full(3, 2.0))


def test_what_cannot_be_described_is_never_the_same():
    with open(os.devnull) as opened:

        def function(x):
            return jax.pure_callback(lambda x: (opened, x)[1], X, x)

        assert traced(function, X) != traced(function, X)


def test_fingerprints_are_the_same_in_another_process():
    code = (
        "from tests.workdir.test_fingerprint import *\n"
        "print(fingerprint(values=DIFFERENT, functions=[traced(f, X) for f in FUNCTIONS.values()]))"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1


def test_the_environment_says_what_else_decides_a_number():
    before = fingerprint(**environment())
    assert fingerprint(**environment()) == before
    with jax.default_matmul_precision("highest"):
        # A context's precision is part of a jaxpr, the configuration's of the environment.
        assert traced(lambda x: x @ x, X) != traced(lambda x: jnp.dot(x, x, precision="default"), X)
        assert fingerprint(**environment()) != before
    with jax.enable_x64(True):
        assert fingerprint(**environment()) != before
    assert set(environment()) >= {"sources", "libraries", "backend", "devices"}
