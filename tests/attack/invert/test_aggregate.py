import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.aggregate import expectation_curves, match_curves, name_group, own_maps
from leakjax.oracle import replay
from tests.oracle.worlds import WEIGHTS, offered, points


def test_the_mean_map_of_a_group_names_its_members():
    candidates, group = points(7), [0, 4, 5]

    def attack(asked):
        maps = own_maps(asked, candidates)
        return name_group(maps, aggregate, members=3, seed=0)

    asked = offered("input_x_gradient")
    aggregate = (candidates * WEIGHTS.T[(candidates @ WEIGHTS).argmax(axis=1)])[group].mean(axis=0)
    found = attack(asked)
    np.testing.assert_array_equal(attack(replay(asked.transcript)).weights, found.weights)
    assert found.residual < 1e-5
    assert len(set(found.members) & set(group)) >= 2  # 4 numbers, 7 candidates
    with pytest.raises(UsageError, match=r"release\.explanations"):
        own_maps(offered(None), candidates)


def test_curves_sweep_one_feature_and_name_their_rows():
    rows = points(6).astype(np.float64)

    def predict(x):
        return np.tanh(x @ WEIGHTS)

    features, grid = np.array([1, 3]), np.array([-1.0, 0.0, 2.0])
    curves = expectation_curves(predict, rows, features, grid)
    for i, row in enumerate(rows):
        expected = []
        for feature in features:
            for value in grid:
                swept = row.copy()
                swept[feature] = value
                expected.append(np.tanh(swept @ WEIGHTS))
        np.testing.assert_allclose(curves[i], np.ravel(expected), atol=1e-12)
    np.testing.assert_array_equal(match_curves(curves[[4, 1]], curves), [0, 1, 0, 0, 1, 0])
    dependence = curves[[4, 1]].mean(axis=0)
    assert sorted(name_group(curves, dependence, members=2, seed=0).members) == [1, 4]
    with pytest.raises(UsageError, match="candidates=1"):
        match_curves(curves, curves[:1])


def test_curves_and_dependence_name_the_same_rows_from_a_transcript_alone():
    rows, asked = points(6), offered(None)
    features, grid = np.array([0, 2]), np.array([-1.0, 0.5])
    secret = [1, 5]

    def named(service):
        answers = lambda x: service.ask(x, plain=True).prediction.probabilities
        curves = expectation_curves(answers, rows, features, grid)
        mean = name_group(curves, curves[secret].mean(axis=0), members=2, seed=0)
        return match_curves(curves[secret], curves), mean.weights

    inside, weights = named(asked)
    assert np.flatnonzero(inside).tolist() == secret
    again = named(replay(asked.transcript))
    np.testing.assert_array_equal(again[0], inside)
    np.testing.assert_array_equal(again[1], weights)
