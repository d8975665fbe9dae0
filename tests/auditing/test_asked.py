"""The attacks of the registry on the models of an audit say what they say on the same answers elsewhere."""

import dataclasses

import jax
import numpy as np
import pytest

from leakjax.attack.registry import parse
from leakjax.attack.replies import Replies
from leakjax.attack.run import run
from leakjax.auditing.asked import source_of
from leakjax.auditing.subject import Subject
from leakjax.defend import identity
from tests.auditing.world import gradient, logits_fn


@pytest.fixture(scope="module")
def subject(ensemble, points):
    models = len(ensemble.membership)
    return Subject(
        logits_fn,
        ensemble.variables,
        np.arange(models),
        points,
        np.asarray(ensemble.membership),
        np.arange(4),
        key=jax.random.key(1),
    )


def test_models_are_asked_what_their_answers_say(subject, points):
    over = lambda function: jax.vmap(jax.vmap(function, (None, 0)), (0, None))(subject.variables, points.x)
    logits = over(logits_fn)
    maps = over(lambda own, x: gradient(own, x, logits_fn(own, x).argmax(), key=None))
    held = Replies(jax.nn.log_softmax(logits), points.y, points.x, maps)
    source = source_of(subject, {"gradient": gradient}, {"none": identity()})
    for text in ("lira", "map_ratio", "rmia"):
        mine, theirs = (
            run(parse(text), each, subject.membership, targets=subject.targets, key=subject.key)
            for each in (source("vector", ("gradient", "none"), parse(text).needs), held)
        )
        np.testing.assert_array_equal(mine.valid, theirs.valid)
        np.testing.assert_allclose(mine.scores, theirs.scores, rtol=1e-3, atol=1e-3)


def test_trajectories_follow_the_map_of_each_model(subject, points):
    """Steps of removal written out in NumPy: most important first, then least important first."""
    rows, steps = np.array([4, 8]), 5
    of = source_of(subject, {"gradient": gradient}, {"none": identity()})
    seen = of("vector", ("gradient", "none"), parse("trajectories").needs)(rows)
    assert seen.queries.shape == (subject.models, 2, 2 * steps, 2)
    model, place = 3, 1
    own = jax.tree.map(lambda leaf: leaf[model], subject.variables)
    x = points.x[rows[place]]
    attribution = np.asarray(gradient(own, x, int(np.argmax(logits_fn(own, x))), key=None))
    order = np.argsort(-np.abs(attribution), kind="stable")
    for step in range(1, steps + 1):
        cut = step * len(x) // steps
        for at, gone in ((step - 1, order[:cut]), (steps + step - 1, order[len(x) - cut :])):
            less = x.copy()
            less[gone] = 0
            expected = jax.nn.log_softmax(logits_fn(own, less))
            np.testing.assert_allclose(seen.queries[model, place, at], expected, rtol=1e-3, atol=1e-4)


def test_neighbours_are_the_same_for_every_model_and_shown_as_the_release_has_it(subject):
    source = source_of(dataclasses.replace(subject, neighbours=6), {}, {})
    seen = source("label", None, ("queries",))(np.array([3, 5]))
    assert seen.queries.shape == (subject.models, 2, 6, 2)
    assert len(np.unique(np.round(seen.queries, 4))) == 2  # a label says which class, and no more
    alone = source("label", None, ("queries",))(np.array([5]))
    np.testing.assert_array_equal(alone.queries[:, 0], seen.queries[:, 1])
