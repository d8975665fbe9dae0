"""A release without what an attack needs ends it in one line that names the part of the release."""

import jax
import numpy as np
import pytest

from leakjax import UsageError, models
from leakjax.attack.extract import distill, hinges, linear, relu
from leakjax.attack.invert import (
    aggregate,
    ascent,
    attribute_learned,
    background,
    learned,
    pattern,
    shapley_values,
)
from leakjax.attack.invert.prior import priors_of
from leakjax.explain import Segments
from tests.oracle.worlds import offered, points

X, Y, KEY = points(), np.arange(20) % 3, jax.random.key(0)
STARTS = np.full((3, 4), 0.5, np.float32)
EXPLANATIONS = "release.explanations=(): must hold one"
VECTOR = "release.prediction='no vector': must be 'vector'"
SOMETHING = "release.prediction='none': must show something"


def climbed(asked, way):
    return ascent.ascend(asked, np.arange(3), STARTS, way=way, steps=1, seed=0)


def copied(asked, view):
    return distill.distill(asked, models.make("logistic", 3), X, view=view, key=KEY, steps=1)


def decoded(asked, view):
    return learned.learn(asked, X, view=view, classes=3, key=KEY, epochs=1)


def forest(asked, view):
    return attribute_learned.learn_attribute(asked, X, Y, view=view, seed=0)


def named(asked):
    return background.recover_background(asked, X[:4], X, segments=Segments(np.arange(4), 4), rows=3, seed=0)


def searched(asked):
    return pattern.match_pattern(asked, asked.ask(X), priors_of(X, Y, 3), (4,), steps=1)


READ_EXPLANATIONS = {
    "ascent": lambda asked: climbed(asked, "explanation"),
    "distillation": lambda asked: copied(asked, "both"),
    "decoder": lambda asked: decoded(asked, "both"),
    "forest": lambda asked: forest(asked, "both"),
    "background": named,
    "search": searched,
    "units by hinges": lambda asked: hinges.extract_by_hinges(asked, (4,), 3, seed=0),
    "units by gradients": lambda asked: relu.extract_relu(asked, (4,), 3, seed=0),
    "Shapley values": lambda asked: shapley_values.read_features(asked, asked.ask(X), shape=(4,), seed=0),
    "aggregates": lambda asked: aggregate.own_maps(asked, X),
}
READ_VECTORS = {
    **{name: READ_EXPLANATIONS[name] for name in ("ascent", "distillation", "background", "search")},
    **{name: READ_EXPLANATIONS[name] for name in ("units by hinges", "units by gradients")},
    "NES": lambda asked: climbed(asked, "nes"),
    "plain distillation": lambda asked: copied(asked, "prediction"),
    "linear model": lambda asked: linear.extract_linear(asked, (4,)),
}
READ_PREDICTIONS = {
    "plain decoder": lambda asked: decoded(asked, "prediction"),
    "plain forest": lambda asked: forest(asked, "prediction"),
}


def ends(attack, asked):
    with pytest.raises(UsageError) as error:
        attack(asked)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", READ_EXPLANATIONS)
def test_explanations_that_are_not_released_are_named(name):
    assert ends(READ_EXPLANATIONS[name], offered(None)).startswith(EXPLANATIONS)


@pytest.mark.parametrize("shown", ["none", "label", "confidence(2)", "top(2)", "top(3)"])
@pytest.mark.parametrize("name", READ_VECTORS)
def test_vectors_that_are_not_released_are_named(name, shown):
    asked = offered("gradient", prediction=shown, explained_class="asked")
    assert ends(READ_VECTORS[name], asked).startswith(VECTOR)


@pytest.mark.parametrize("name", READ_PREDICTIONS)
def test_predictions_of_which_nothing_is_released_are_named(name):
    assert ends(READ_PREDICTIONS[name], offered("gradient", prediction="none")).startswith(SOMETHING)
