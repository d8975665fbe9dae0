import numpy as np
import pytest

from leakjax.attack.invert.ascent import WAYS, ascend
from leakjax.oracle import replay
from tests.oracle.worlds import WEIGHTS, offered

CLASSES = np.array([0, 1, 2])
START = np.full((3, 4), 0.5, np.float32)


def climb(asked, way, **options):
    return ascend(asked, CLASSES, START, way=way, steps=40, seed=0, low=-3.0, high=3.0, **options)


def offered_slopes(**options):
    return offered("gradient(output='log_probability')", explained_class="asked", **options)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_reaches_its_class_and_counts_what_it_asked(way):
    asked = offered_slopes()
    found = climb(asked, way)
    logits = found.x.astype(np.float64) @ WEIGHTS
    chances = np.exp(logits[range(3), CLASSES]) / np.exp(logits).sum(axis=1)
    np.testing.assert_allclose(found.confidence, chances, atol=1e-5)
    assert (found.confidence > 0.98).all()
    cost = {"explanation": 1, "finite_differences": 9, "nes": 33}[way]
    assert (found.queries % cost == 0).all()
    assert asked.queries == 3 * found.queries.max()
    assert asked.explained == (asked.queries if way == "explanation" else 0)
    again = climb(replay(asked.transcript), way)
    np.testing.assert_array_equal(again.x, found.x)


def test_a_budget_ends_the_climb_with_what_it_reached():
    asked = offered_slopes(budget=6)
    found = climb(asked, "explanation")
    assert found.note == "no query was answered after step 2"
    assert np.isfinite(found.confidence).all()
    assert asked.refused == 3
