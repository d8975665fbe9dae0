import itertools

import jax
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.closed_form import TanhNetwork, linear_input, magnitudes, tanh_input
from leakjax.attack.invert.prior import Prior, priors_of
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay
from tests.oracle.worlds import WEIGHTS, offered, points

RNG = np.random.default_rng(2)
NETWORK = TanhNetwork(0.5 * RNG.normal(size=(6, 6)), 0.3 * RNG.normal(size=6), RNG.normal(size=(6, 3)))


def logits(variables, x):
    hidden, bias, out = variables
    return jax.numpy.tanh(x @ hidden + bias) @ out


def test_a_linear_model_gives_its_input_back():
    x = points(8)
    asked = offered("input_x_gradient")
    answer = asked.ask(x)
    found = [
        linear_input(e, WEIGHTS[:, c])
        for e, c in zip(answer.explanations[0], answer.explained_class[:, 0], strict=True)
    ]
    np.testing.assert_allclose(found, x, atol=1e-5)


def test_a_weight_of_zero_leaves_the_feature_to_the_prior():
    prior = Prior(np.array([7.0, 8.0]), np.eye(2))
    np.testing.assert_allclose(linear_input(np.array([6.0, 0.0]), np.array([2.0, 0.0]), prior), [3.0, 8.0])
    np.testing.assert_allclose(linear_input(np.array([6.0, 0.0]), np.array([2.0, 0.0])), [3.0, 0.0])


def test_a_gradient_gives_the_magnitudes_of_hidden_units():
    x = 0.7 * RNG.normal(size=6)
    hidden = x @ NETWORK.hidden + NETWORK.bias
    gradient = NETWORK.hidden @ (NETWORK.out[:, 1] * (1 - np.tanh(hidden) ** 2))
    np.testing.assert_allclose(magnitudes(gradient, NETWORK, 1), np.abs(hidden), atol=1e-6)
    wide = TanhNetwork(np.ones((2, 3)), np.ones(3), np.ones((3, 2)))
    with pytest.raises(UsageError, match="units=3: must be at most 2"):
        magnitudes(np.ones(2), wide, 0)


def test_inputs_of_a_tanh_network_come_back_from_one_gradient_each():
    mean, root = RNG.normal(size=6), 0.15 * RNG.normal(size=(6, 6))
    prior = Prior(mean, root @ root.T + 1e-3 * np.eye(6))
    x = (mean + RNG.normal(size=(20, 6)) @ root.T).astype(np.float32)
    variables = tuple(np.asarray(part, np.float32) for part in NETWORK)
    release = Release("label", (ExplanationPart("gradient"),))
    asked = oracle(Service(logits, variables), release, key=jax.random.key(0))

    def attack(of):
        answer = of.ask(x)
        slopes, classes = answer.explanations[0], answer.explained_class[:, 0]
        return np.stack([tanh_input(e, NETWORK, c, prior) for e, c in zip(slopes, classes, strict=True)])

    found = attack(asked)
    error, without = (np.abs(made - x).max(axis=1) for made in (found, mean))
    assert np.median(error) < 0.3 * np.median(without)
    np.testing.assert_array_equal(attack(replay(asked.transcript)), found)


def test_the_signs_that_are_found_are_the_most_probable_of_all():
    mean, root = RNG.normal(size=6), 0.5 * RNG.normal(size=(6, 6))
    prior = Prior(mean, root @ root.T + 1e-3 * np.eye(6))
    every = np.array(list(itertools.product([-1.0, 1.0], repeat=6)))
    for x in mean + RNG.normal(size=(10, 6)) @ root.T:
        hidden = np.clip(x @ NETWORK.hidden + NETWORK.bias, -2.5, 2.5)
        gradient = NETWORK.hidden @ (NETWORK.out[:, 0] * (1 - np.tanh(hidden) ** 2))
        centre = mean @ NETWORK.hidden + NETWORK.bias
        error = np.diag((1e-4 * np.cosh(hidden) ** 2) ** 2)
        spread = NETWORK.hidden.T @ prior.covariance @ NETWORK.hidden + error
        left = every * np.abs(hidden) - centre
        best = every[np.einsum("si,ij,sj->s", left, np.linalg.inv(spread), left).argmin()]
        expected = tanh_input(gradient, NETWORK, 0, prior, signs=best)
        np.testing.assert_allclose(tanh_input(gradient, NETWORK, 0, prior), expected, atol=1e-4)


def test_the_signs_themselves_are_the_ceiling():
    prior = Prior(np.zeros(6), np.eye(6))
    x = 0.5 * RNG.normal(size=6)
    hidden = x @ NETWORK.hidden + NETWORK.bias
    gradient = NETWORK.hidden @ (NETWORK.out[:, 0] * (1 - np.tanh(hidden) ** 2))
    found = tanh_input(gradient, NETWORK, 0, prior, signs=np.sign(hidden))
    np.testing.assert_allclose(found, x, atol=2e-2)


def test_a_class_without_an_example_is_one_line():
    with pytest.raises(UsageError, match="auxiliary=1: is a class of which the attacker has no example"):
        priors_of(np.ones((4, 2)), np.array([0, 0, 2, 2]), 3)
    found = priors_of(np.array([[0.0, 2.0], [2.0, 0.0], [5.0, 5.0], [7.0, 8.0]]), np.array([0, 0, 1, 1]), 2)
    np.testing.assert_allclose(found[0].mean, [1, 1])
    assert all(np.linalg.eigvalsh(prior.covariance).min() > 0 for prior in found)
