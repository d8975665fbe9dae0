"""Controls of the attack's own strength, on scores and models whose leakage is known."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from leakjax.auditing.adequacy import dressed, hardened, not_run
from leakjax.auditing.judge import Judge
from leakjax.auditing.subject import Subject
from leakjax.data import Points
from tests.auditing.world import CLASSES, logits_fn

MODELS, POINTS, FEATURES = 16, 400, 5


@pytest.fixture(scope="module")
def subject():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(POINTS, FEATURES + 1)).astype(np.float32)
    y = generator.integers(CLASSES, size=POINTS).astype(np.int32)
    variables = {
        "w": generator.normal(size=(MODELS, FEATURES, CLASSES)).astype(np.float32),
        "b": np.zeros((MODELS, CLASSES), np.float32),
    }
    return Subject(
        logits_fn,
        variables,
        np.arange(MODELS, dtype=np.int32),
        Points(x, y, CLASSES, "made", np.arange(POINTS, dtype=np.int32)),
        generator.random((MODELS, POINTS)) < 0.5,
        targets=np.arange(MODELS),
        key=jax.random.key(0),
    )


def test_a_hardened_release_that_leaks_more_than_the_plain_one_fails(subject):
    judge = Judge(subject, seed=0)
    noise = np.random.default_rng(1).normal(size=subject.membership.shape).astype(np.float32)
    leaks = noise + 2 * subject.membership
    found = hardened({"map": [(noise, judge), (leaks, judge)]}, {"map": noise})
    assert found.failed
    assert found.seen.low > 0
    assert not hardened({"map": [(noise, judge)]}, {"map": leaks}).failed
    assert hardened({"map": [(noise, judge)]}, {"map": noise}).passed


def test_without_a_plain_release_the_control_is_not_run(subject):
    scores = np.zeros(subject.membership.shape, np.float32)
    found = hardened({"map": [(scores, Judge(subject, seed=0))]}, {})
    assert found.not_run is not None
    assert not found.passed
    assert not found.failed


def test_a_control_that_was_not_run_neither_passed_nor_failed():
    found = not_run("name", "question?", "no data; pass some")
    assert (found.not_run, found.passed, found.failed) == ("no data; pass some", False, False)
    assert math.isnan(found.seen.value)


@pytest.mark.parametrize("release", ["label", "confidence(1)", "vector"])
def test_a_dressed_prediction_holds_what_the_release_shows(subject, release):
    explain = dressed(dataclasses.replace(subject, releases=(release,)))
    own = jax.tree.map(lambda leaf: leaf[0], subject.variables)
    maps, logits = [], []
    for x in subject.points.x[:40]:
        of_x = np.asarray(logits_fn(own, x))
        seen = np.asarray(explain(own, x, 0, key=jax.random.key(0)))
        assert seen.shape == x.shape
        logits.append(of_x)
        maps.append(seen)
    chance = jax.nn.softmax(np.stack(logits), axis=-1)
    label = np.eye(CLASSES)[np.argmax(chance, axis=-1)]
    shown = {
        "label": label,
        "confidence(1)": np.column_stack([np.round(chance.max(axis=-1), 1), label]),
        "vector": np.log(chance),
    }[release]
    expected = shown[:, np.arange(FEATURES + 1) % shown.shape[1]]
    np.testing.assert_allclose(np.stack(maps), expected, atol=1e-5)
