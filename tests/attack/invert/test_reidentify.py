import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.reidentify import hits, reidentify
from leakjax.oracle import replay
from tests.oracle.worlds import offered, points


def test_a_map_names_its_subject_where_the_prediction_alone_cannot():
    candidates, subjects = points(60), np.array([3, 41, 17])
    asked = offered("input_x_gradient", prediction="label")
    released = asked.ask(candidates[subjects], account=0)
    found = reidentify(asked, released, candidates)
    assert hits(found.distance["both"], subjects).tolist() == [1, 1, 1]
    labels = asked.ask(candidates).prediction.classes[:, 0]
    expected = [1 / (labels == labels[subject]).sum() for subject in subjects]
    np.testing.assert_allclose(hits(found.distance["prediction"], subjects), expected)
    stub = replay(asked.transcript)
    stub.ask(candidates[subjects], account=0)
    again = reidentify(stub, released, candidates)
    for view, distance in found.distance.items():
        np.testing.assert_array_equal(again.distance[view], distance)


def test_noise_that_drowns_the_map_leaves_what_the_prediction_says():
    candidates = points(60)
    asked = offered("input_x_gradient", prediction="vector", guard="clip_norm(1.0)+gaussian_noise(30.0)")
    released = asked.ask(candidates[:20])
    found = reidentify(asked, released, candidates)
    assert hits(found.distance["both"], np.arange(20)).mean() == 1
    assert hits(found.distance["explanation"], np.arange(20)).mean() < 0.3


def test_candidates_that_are_refused_are_named_by_nobody():
    candidates = points(30)
    asked = offered("gradient", budget=30)
    released = asked.ask(candidates[[2, 25]])
    found = reidentify(asked, released, candidates)
    assert found.asked == 28
    assert found.note == "2 of 30 candidates were not answered"
    with pytest.raises(UsageError, match="candidates=1: must be at least 2"):
        reidentify(asked, released, candidates[:1])


def test_ties_count_by_chance():
    distance = np.array([[1.0, 1.0, 2.0, 0.5], [3.0, 1.0, 1.0, 1.0]])
    np.testing.assert_allclose(hits(distance, np.array([0, 2])), [0, 1 / 3])
    np.testing.assert_allclose(hits(distance, np.array([0, 2]), top=2), [1 / 2, 2 / 3])
