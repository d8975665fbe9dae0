import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.shapley_values import read_features
from leakjax.oracle import replay
from tests.oracle.worlds import WEIGHTS, offered


def inputs():
    return np.random.default_rng(2).uniform(size=(30, 4)).astype(np.float32)


def attack(asked, released, **options):
    return read_features(asked, released, shape=(4,), seed=0, queries=400, **options)


def test_values_that_follow_their_features_give_them_away():
    # Of a linear model the Shapley value of a feature over 0 is weight x feature: input x gradient, of one class.
    asked = offered("input_x_gradient", explained_class="asked")
    x = inputs()
    likely = x[(x @ WEIGHTS).argmax(axis=1) == 1]
    found = attack(asked, asked.ask(likely, 1))
    answered = np.abs(found.features - likely).mean()
    assert found.told.any()
    assert answered < 0.6 * np.abs(0.5 - likely).mean()
    stub = replay(asked.transcript)
    again = attack(stub, stub.ask(likely, 1))
    np.testing.assert_array_equal(again.features, found.features)


def test_maps_that_do_not_depend_on_the_input_tell_nothing():
    asked = offered(
        "gradient", explained_class="reference", policy={"reference": WEIGHTS[None, :, [0]] * 0 + WEIGHTS}
    )
    found = attack(asked, asked.ask(inputs()), least=0.99)
    assert not found.told.any()
    np.testing.assert_allclose(found.features, 0.5, atol=0.06)


def test_random_queries_that_are_refused_are_one_line():
    asked = offered("input_x_gradient", budget=31)
    with pytest.raises(UsageError, match="answered=1: of 400 random queries must be at least 2"):
        attack(asked, asked.ask(inputs()))
