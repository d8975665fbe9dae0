import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.most_probable import most_probable
from leakjax.attack.invert.prior import Prior
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay

RNG = np.random.default_rng(1)
PRIORS = [Prior(np.full(4, 0.5), 0.04 * np.eye(4)), Prior(np.full(4, -0.5), 0.04 * np.eye(4))]
LABEL = np.array([0, 1, 0, 1, 0])
X = np.stack([PRIORS[label].mean for label in LABEL]) + 0.2 * RNG.normal(size=(5, 4))
WEIGHTS = RNG.normal(size=(2, 4, 4)).astype(np.float32)


def test_the_inputs_of_a_linear_explanation_are_solved_for():
    explain = lambda weights, x, label: weights[label] @ x
    sought = np.einsum("tnf,tf->tn", WEIGHTS[LABEL], X)
    found = most_probable(explain, WEIGHTS, sought, LABEL, PRIORS, error=1e-3).x
    np.testing.assert_allclose(found, X, atol=0.02)


def test_the_attack_sees_its_answers_alone():
    network = lambda weights, x: jnp.sin(weights @ x)
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    explain = lambda weights, x, label: jnp.cos(weights[label] @ x) * weights[label]
    weights = WEIGHTS[:, 0]
    asked = oracle(Service(network, weights), release, key=jax.random.key(0))

    def attack(offered):
        maps = offered.ask(X, LABEL).explanations[0]
        return most_probable(explain, weights, maps, LABEL, PRIORS, error=1e-2).x

    found = attack(asked)
    np.testing.assert_array_equal(attack(replay(asked.transcript)), found)
    assert asked.explained == len(X)


def test_what_an_explanation_leaves_open_the_prior_decides():
    """One number of a Gaussian: the mean of the others given it, in closed form."""
    a, error = np.array([1.0, 2.0, 0.0, -1.0]), 0.5
    sought = (X @ a)[:, None]
    found = most_probable(
        lambda a, x, label: (x @ a)[None], a.astype(np.float32), sought, LABEL, PRIORS, error=error
    ).x
    for x, label, e in zip(found, LABEL, sought[:, 0], strict=True):
        prior, noise = PRIORS[label], (error * abs(e)) ** 2
        gain = prior.covariance @ a / (a @ prior.covariance @ a + noise)
        np.testing.assert_allclose(x, prior.mean + gain * (e - a @ prior.mean), atol=1e-3)


def test_a_nonlinear_one_is_solved_from_several_starts():
    explain = lambda weights, x, label: x * jnp.tanh(weights[label] @ x)
    sought = X * np.tanh(np.einsum("tnf,tf->tn", WEIGHTS[LABEL], X))
    found = most_probable(explain, WEIGHTS, sought, LABEL, PRIORS, error=1e-3, starts=8, subjects=X)
    assert (np.abs(found.x - X).max(axis=1) < 0.02).sum() >= 4
    np.testing.assert_allclose(found.ceiling, X, atol=0.02)
    alone = most_probable(explain, WEIGHTS, sought, LABEL, PRIORS, error=1e-3, starts=8)
    np.testing.assert_allclose(alone.x, found.x, atol=1e-5)  # the ceiling is no help to the search
    assert alone.ceiling is None
    from_mean = most_probable(explain, WEIGHTS, sought, LABEL, PRIORS, error=1e-3, starts=1, steps=1)
    assert np.abs(from_mean.x - X).max() > 0.05


def test_an_input_is_sought_in_the_directions_in_which_inputs_differ_most():
    """All of it is told: what is found is the subject without its shorter half."""
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    prior = Prior(np.zeros(4), turn @ np.diag([0.01, 1.0, 0.02, 2.0]) @ turn.T)
    long = turn[:, [1, 3]]
    explain = lambda _, x, label: x
    found = most_probable(explain, None, X, 0 * LABEL, [prior], error=1e-3, directions=2)
    np.testing.assert_allclose(found.x, X @ long @ long.T, atol=1e-3)
    nothing = lambda _, x, label: (
        0 * x
    )  # where the search begins is where it goes from to the mean, step by step
    begun = most_probable(nothing, None, X, 0 * LABEL, [prior], directions=2, steps=1, subjects=X)
    assert np.abs(begun.ceiling @ turn[:, [0, 2]]).max() < 1e-4
    assert np.abs(begun.ceiling @ long - X @ long).max() > 0.01


def test_bad_input_is_one_line():
    for options in ({"directions": 0}, {"starts": 0}, {"steps": 0}, {"error": 0.0}):
        with pytest.raises(UsageError, match=next(iter(options))):
            most_probable(lambda _, x, label: x, None, X, LABEL, PRIORS, **options)
