import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.pattern import match_pattern
from leakjax.attack.invert.prior import Prior
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay

RNG = np.random.default_rng(2)
WEIGHTS = (0.5 * RNG.normal(size=(4, 12)).astype(np.float32), RNG.normal(size=(12, 3)).astype(np.float32))
PRIORS = [Prior(np.full(4, 0.5), 0.01 * np.eye(4))] * 3
X = (0.5 + RNG.uniform(-0.15, 0.15, (5, 4))).astype(np.float32)


def tanh(variables, x):
    return jnp.tanh(x @ variables[0]) @ variables[1]


def offered(**options):
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    return oracle(Service(tanh, WEIGHTS), release, key=jax.random.key(0), **options)


def attack(asked, steps=15, **options):
    return match_pattern(asked, asked.ask(X), PRIORS, (4,), steps=steps, probe=0.01, **options)


def test_inputs_are_found_from_their_gradients_by_queries_alone():
    asked = offered()
    found = attack(asked)
    assert (found.distance < 1e-3).all()
    right = np.abs(found.x - X).max(axis=1) < 0.01
    assert right.sum() >= 3  # others are explained alike, to five digits
    assert asked.plain == 0
    assert asked.explained <= 5 * (1 + 1 + 15 * (4 + 3))


def test_a_step_never_leads_away():
    asked = offered()
    released = asked.ask(X)
    # The gradients of the start and of where it ended, by the chain rule in float64.
    first, second = (np.asarray(each, np.float64) for each in WEIGHTS)

    def far(x):
        out = second[:, released.explained_class[:, 0]].T
        slope = (out * (1 - np.tanh(x @ first) ** 2)) @ first.T
        return np.linalg.norm(slope - released.explanations[0], axis=1)

    found = match_pattern(asked, released, PRIORS, (4,), steps=3)
    assert (far(found.x.astype(np.float64)) <= far(np.full((5, 4), 0.5)) + 1e-5).all()
    np.testing.assert_allclose(
        found.distance,
        far(found.x.astype(np.float64)) / np.linalg.norm(released.explanations[0], axis=1),
        atol=1e-3,
    )


def test_what_an_explanation_leaves_open_is_as_usual():
    """Two numbers of a Gaussian of four: the mean of the others given them, in closed form."""
    root = RNG.normal(size=(4, 4))
    prior = Prior(RNG.normal(size=4), root @ root.T)
    half = RNG.normal(size=(4, 2)).astype(np.float32)
    quadratic = lambda variables, x: jnp.array([10 + jnp.sum((x @ variables) ** 2), 0.0])
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    asked = oracle(Service(quadratic, half), release, key=jax.random.key(0))
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    found = match_pattern(asked, asked.ask(x), [prior] * 2, (4,), steps=30, low=-50, high=50).x
    shown = half.T.astype(float)
    gain = prior.covariance @ shown.T @ np.linalg.inv(shown @ prior.covariance @ shown.T)
    np.testing.assert_allclose(found, prior.mean + (x - prior.mean) @ shown.T @ gain.T, atol=2e-2)
    few = oracle(Service(quadratic, half), release, key=jax.random.key(0))
    released = few.ask(x)
    least = match_pattern(few, released, [prior] * 2, (4,), steps=2, directions=1, low=-50, high=50).x
    longest = np.linalg.eigh(prior.covariance)[1][:, -1]
    away = least - prior.mean
    np.testing.assert_allclose(away, np.outer(away @ longest, longest), atol=1e-5)
    assert few.explained <= 3 * (2 + 2 * (1 + 3))


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
    for wrong in ({"steps": 0}, {"directions": 0}):
        with pytest.raises(UsageError, match="=0: must be at least 1"):
            attack(offered(), **wrong)
