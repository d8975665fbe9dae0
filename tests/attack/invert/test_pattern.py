import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.pattern import match_pattern
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay

RNG = np.random.default_rng(2)
WEIGHTS = (0.5 * RNG.normal(size=(4, 12)).astype(np.float32), RNG.normal(size=(12, 3)).astype(np.float32))
X = RNG.random((5, 4)).astype(np.float32)


def tanh(variables, x):
    return jnp.tanh(x @ variables[0]) @ variables[1]


def offered(**options):
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    return oracle(Service(tanh, WEIGHTS), release, key=jax.random.key(0), **options)


def attack(asked, steps=15):
    """From guesses that are off by up to 0.2 in every feature."""
    start = np.clip(X + np.random.default_rng(5).uniform(-0.2, 0.2, X.shape), 0, 1).astype(np.float32)
    return match_pattern(asked, asked.ask(X), start, steps=steps, probe=0.01)


def test_inputs_are_found_from_their_gradients_by_queries_alone():
    asked = offered()
    found = attack(asked)
    right = np.abs(found.x - X).max(axis=1) < 0.01
    assert right.sum() >= 4
    assert (found.distance[right] < 1e-3).all()
    assert asked.plain == 0
    assert asked.explained <= 5 * (1 + 1 + 15 * (4 + 3))


def test_a_step_never_leads_away():
    asked = offered()
    released = asked.ask(X)
    start = np.full_like(X, 0.5)
    # The gradients of the start and of where it ended, by the chain rule in float64.
    first, second = (np.asarray(each, np.float64) for each in WEIGHTS)

    def far(x):
        out = second[:, released.explained_class[:, 0]].T
        slope = (out * (1 - np.tanh(x @ first) ** 2)) @ first.T
        return np.linalg.norm(slope - released.explanations[0], axis=1)

    found = match_pattern(asked, released, start, steps=3)
    assert (far(found.x.astype(np.float64)) <= far(start.astype(np.float64)) + 1e-5).all()
    np.testing.assert_allclose(
        found.distance,
        far(found.x.astype(np.float64)) / np.linalg.norm(released.explanations[0], axis=1),
        atol=1e-3,
    )


def test_a_replay_says_the_same():
    asked = offered()
    found = attack(asked, steps=3)
    np.testing.assert_array_equal(attack(replay(asked.transcript), steps=3).x, found.x)


def test_an_oracle_that_refuses_ends_the_search_with_what_it_has():
    found = attack(offered(budget=5 + 5 + 5 * 7 + 3))
    assert found.note == "no query was answered after step 1"
    assert np.isfinite(found.distance).all()
    none = attack(offered(budget=5))
    assert none.note == "no query was answered after step 0"
    assert np.isinf(none.distance).all()
    with pytest.raises(UsageError, match="steps=0"):
        attack(offered(), steps=0)
