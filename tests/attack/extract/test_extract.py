import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.extract.distill import distill
from leakjax.attack.extract.linear import extract_linear
from leakjax.attack.extract.relu import agreement, extract_relu, units_found
from leakjax.models import Model
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay
from tests.oracle.worlds import WEIGHTS, linear, offered, points

RNG = np.random.default_rng(6)
IN, BIAS = RNG.normal(size=(5, 10)).astype(np.float32), RNG.normal(size=10).astype(np.float32)
OUT, LAST = RNG.normal(size=(10, 3)).astype(np.float32), np.array([0.1, -0.4, 0.2], np.float32)


def relu(variables, x):
    return jnp.maximum(x @ IN + BIAS, 0) @ OUT + LAST


def service(**options):
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    return oracle(Service(relu, ()), release, key=jax.random.key(0), **options)


def test_a_linear_model_falls_to_as_many_answers_as_it_has_features_and_one():
    asked = offered()
    found = extract_linear(asked, (4,))
    np.testing.assert_allclose(found.weights, WEIGHTS - WEIGHTS.mean(axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(found.bias, 0, atol=1e-5)
    assert (asked.queries, asked.explained, found.queries) == (5, 0, 5)
    np.testing.assert_array_equal(extract_linear(replay(asked.transcript), (4,)).weights, found.weights)
    with pytest.raises(UsageError, match="answered=3: must be all of 5 queries; 2 were refused"):
        extract_linear(offered(budget=3), (4,))
    with pytest.raises(UsageError, match=r"release\.prediction"):
        extract_linear(offered(prediction="label"), (4,))


def test_every_unit_of_a_relu_network_is_found():
    asked = service()
    found = extract_relu(asked, (5,), 3, seed=0)
    assert units_found(found.hidden, IN).all()
    x = 2 * RNG.normal(size=(300, 5))
    theirs = np.maximum(x @ IN.astype(float) + BIAS, 0) @ OUT.astype(float) + LAST
    ours = found(x)
    np.testing.assert_allclose(
        ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=1e-2
    )
    assert agreement(ours, theirs).mean() > 0.99
    assert asked.explained == found.explained < 200 * 10
    again = extract_relu(replay(asked.transcript), (5,), 3, seed=0)
    np.testing.assert_array_equal(again.hidden, found.hidden)


def test_an_oracle_that_refuses_midway_leaves_fewer_units():
    found = extract_relu(service(budget=120), (5,), 3, seed=0)
    assert "the oracle refused after" in found.note
    assert found.hidden.shape[1] < 10
    with pytest.raises(UsageError, match="refused the first queries"):
        extract_relu(service(budget=1), (5,), 3, seed=0)


def test_a_student_that_sees_gradients_agrees_more():
    start = lambda key, x: {"params": 0.1 * jax.random.normal(key, (4, 3))}
    model = Model(start, lambda variables, x, key: (x, variables), lambda v, x: linear(v["params"], x))
    own, new = points(6), points(500, seed=8)
    theirs = new @ WEIGHTS

    def attack(asked, view):
        return distill(asked, model, own, view=view, key=jax.random.key(0), steps=300)(new)

    asked = offered()
    both = attack(asked, "both")
    alone = attack(offered(), "prediction")
    assert agreement(both, theirs).mean() > agreement(alone, theirs).mean()
    assert (asked.explained, asked.plain) == (6, 0)
    np.testing.assert_array_equal(attack(replay(asked.transcript), "both"), both)
    with pytest.raises(UsageError, match="view='explanation'"):
        distill(asked, model, own, view="explanation", key=jax.random.key(0))


def test_units_are_found_far_out_and_where_rounding_blurs_their_hinges():
    draws = np.random.default_rng(3)
    inward = (2 + draws.normal(size=(784, 64))).astype(
        np.float32
    )  # large sums, of which little is left at a hinge
    bias = (draws.normal(size=64) - 0.5 * inward.sum(axis=0)).astype(np.float32)
    bias[0] = 1e4
    out = draws.normal(size=(64, 3)).astype(np.float32)
    network = lambda variables, x: jnp.maximum(x @ inward + bias, 0) @ out
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    asked = oracle(Service(network, ()), release, key=jax.random.key(0), written=False)
    found = extract_relu(asked, (784,), 3, seed=0)
    assert units_found(found.hidden, inward).all()
    assert found.hidden.shape[1] == 64  # none of them twice
