import jax
import numpy as np
import pytest

from leakjax._workdir import claim
from leakjax.evaluate.document import from_json, to_json
from leakjax.papers.theorem import Settings, Theorem, constructions, theorem
from leakjax.papers.theorem.algorithm import at_random, d_wise, found, in_a_plane
from leakjax.papers.theorem.family import Family, answered, log_influence, on_a_line, revealed
from leakjax.papers.theorem.lemma import one_in_truth, says_one, statement


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def line(w, b, ws, bs):
    return Family(np.array([w], float), float(b), np.array(ws, float)[:, None], np.array(bs, float))


@pytest.fixture
def family():
    rng = np.random.default_rng(3)
    return Family(rng.normal(size=3), 0.4, rng.normal(size=(7, 3)), rng.normal(size=7))


def test_influence_is_the_difference_of_sigmoids(family):
    queries = np.random.default_rng(4).normal(size=(50, 3))
    expected = np.empty((50, 7))
    for q, y in enumerate(queries):
        for record in range(7):
            without = sigmoid(family.ws[record] @ y - family.bs[record])
            expected[q, record] = abs(without - sigmoid(family.w @ y - family.b))
    np.testing.assert_allclose(np.exp(log_influence(family, queries)), expected, rtol=1e-9)
    np.testing.assert_array_equal(answered(family, queries), expected.argmax(axis=1))


def test_influence_far_below_any_float_is_that_of_the_tails():
    # Far out sigmoid(a) = 1 - exp(-a): the difference is exp(-y) (exp(b) - 1).
    found = log_influence(line(1, 0, [1], [1]), np.array([[5000.0]]))
    np.testing.assert_allclose(found, -5000 + np.log(np.e - 1), rtol=1e-12)


def test_a_record_without_influence_is_not_released_and_equal_models_release_the_first():
    assert answered(line(1, 0, [1], [0]), np.array([[0.3]])).tolist() == [-1]
    twins = line(1, 0, [1, 1, 1], [0.1, 0.5, 0.5])
    assert revealed(twins, on_a_line(twins)).tolist() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_two_shifts_reveal_two_records_between_the_harmonic_and_the_arithmetic_mean(seed):
    rng = np.random.default_rng(seed)
    low, high = -rng.uniform(0.1, 2), rng.uniform(0.1, 2)
    a, b, c = np.exp([low, 0, high])
    # Where |f_1 - f| = |f_2 - f|: a linear equation in exp(y), solved here by trying.
    at = np.linspace(-40, 40, 400_001)
    gap = np.abs(sigmoid(at - low) - sigmoid(at)) - np.abs(sigmoid(at - high) - sigmoid(at))
    far = np.abs(at) < 15  # beyond, both differences drown in rounding
    crosses = len(np.unique(np.sign(gap[far]))) > 1
    shifts = line(1, 0, [1, 1], [low, high])
    assert (len(revealed(shifts, on_a_line(shifts))) == 2) == crosses
    assert one_in_truth(shifts) != crosses
    assert crosses == (2 * a * c / (a + c) < b < (a + c) / 2)


def test_the_lemma_as_written_names_the_statements():
    assert statement(line(1, 0, [1, 1], [0.1, 0.2])) == 1
    assert statement(line(1, 0.3, [2, 0.5], [0.6, 0.15])) == 2
    assert statement(line(1, 0, [1, 1], [-0.1, 1.0])) == 3
    assert statement(line(1, 0, [1, 1], [-1.0, 0.1])) == 4
    assert statement(line(1, 0, [1, 2], [0.1, 0.1])) == 4


def test_models_that_meet_in_a_point_reveal_two_records_though_the_lemma_says_one():
    meeting = line(1, 0, [3, 0.5], [0, 0])
    assert says_one(meeting)
    assert not one_in_truth(meeting)
    # Near the point the steep model is on top, far from it the flat one: by float64 arithmetic alone.
    near, far = (np.abs(sigmoid(np.array([3, 0.5]) * y) - sigmoid(y)) for y in (0.01, 8.0))
    assert near.argmax() == 0
    assert far.argmax() == 1
    assert revealed(meeting, on_a_line(meeting)).tolist() == [0, 1]


def test_tangents_must_be_raised_before_all_are_revealed():
    rng, at = np.random.default_rng(0), np.linspace(-30, 30, 60_001)[:, None]
    raised = constructions.raised_tangents(rng, 8)
    assert revealed(raised, at).tolist() == list(range(8))
    flat = constructions.tangents(rng, 8)
    # Record 1 has |2 y - 1|, record 8 has |16 y - 64|: by magnitudes, no scale is needed.
    magnitudes = np.abs(2 * np.arange(1, 9) * at - np.arange(1, 9) ** 2)
    assert set(revealed(flat, at)) == set(np.unique(magnitudes.argmax(axis=1)))
    assert len(revealed(flat, at)) < 8


def test_points_on_a_circle_are_all_revealed_and_a_frozen_weight_reveals_one():
    angles = np.linspace(0, 2 * np.pi, 2000)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    family = constructions.circle(np.random.default_rng(1), 8)
    assert revealed(family, 5 * ring).tolist() == list(range(8))
    frozen = constructions.frozen_weight(np.random.default_rng(1), 5)
    assert len(revealed(frozen, on_a_line(frozen))) == 1


def test_d_wise_independence():
    e = np.eye(3)
    assert d_wise(np.stack([e[0], e[1], e[2], e[0] + e[1] + e[2]])) == 3
    assert d_wise(np.stack([e[0], e[1], e[0] + e[1]])) == 2
    assert d_wise(np.stack([e[0], 2 * e[0], e[1]])) == 1
    assert d_wise(e[:2], beside=e[2]) == 2
    assert d_wise(e[:2], beside=e[0] + e[1]) == 1
    assert d_wise(e, beside=e[0]) == 0


def test_the_theorem_needs_differences_that_are_independent():
    rng = np.random.default_rng(0)
    plane = in_a_plane(rng, 8, 4)
    assert found(plane, key=jax.random.key(0)) == 2 < d_wise(plane.ws)
    assert np.linalg.matrix_rank(plane.ws - plane.w) == 2
    free = at_random(rng, 8, 4)
    assert found(free, key=jax.random.key(0)) >= d_wise(free.ws) == 4


def test_a_study_is_kept_construction_by_construction(tmp_path):
    settings = Settings(families=3, records=4, tangents=(3,), theorem_records=6, theorem_features=3, seed=0)
    begun = []
    with claim(tmp_path) as held:
        first = theorem(settings, config={}, workdir=held, say=begun.append)
        count = len(begun)
        again = theorem(settings, config={}, workdir=held, say=begun.append)
    assert count == len(first.lemmas) + len(first.theorem) == len(begun)
    assert again.lemmas == first.lemmas
    assert to_json(from_json(Theorem, to_json(first))) == to_json(first)
    by = {row.construction: row for row in first.lemmas}
    assert (by["shifted one way"].least, by["shifted one way"].most) == (1, 1)
    assert by["meeting in a point, one steeper, others flatter"].agrees == 0
    assert any(claim.says == "not comparable" and "Hospital" in claim.what for claim in first.claims)
