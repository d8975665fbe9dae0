import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.part import RecordPart, equal_rows, explain, laplace

INFLUENCE = np.array([[0.10, -0.52345, 0.3, 0.3, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
QUERIES = np.array([[1.0, 2.0], [9.0, 9.0]])
RECORDS = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 3.0], [1.0, 3.0], [4.0, 4.0]])


def shown(released, key):
    return explain(INFLUENCE, QUERIES, RECORDS, released, key=key)


def test_the_largest_absolute_influence_comes_first_and_ties_go_to_the_first_record(key):
    explanation = shown(RecordPart(k=3), key)
    assert explanation.records.tolist() == [[1, 2, 3], [0, 1, 2]]
    assert explanation.values.tolist() == [[-0.52345, 0.3, 0.3], [0, 0, 0]]


@pytest.mark.parametrize(
    ("released", "values"),
    [
        (RecordPart(k=2, values="magnitude"), [0.52345, 0.3]),
        (RecordPart(k=2, clip=0.4), [-0.4, 0.3]),
        (RecordPart(k=2, digits=2), [-0.52, 0.3]),
        (RecordPart(k=2, digits=1, clip=0.52, values="magnitude"), [0.5, 0.3]),
        (RecordPart(k=2, float32=True), [float(np.float32(-0.52345)), float(np.float32(0.3))]),
    ],
)
def test_values_are_defended(key, released, values):
    np.testing.assert_allclose(shown(released, key).values[0], values, rtol=1e-14)


def test_values_can_be_withheld(key):
    assert shown(RecordPart(values="none"), key).values is None


def test_the_query_itself_can_be_excluded(key):
    explanation = shown(RecordPart(k=5, exclude_self=True), key)
    assert explanation.records.tolist() == [[2, 3, 0, 4, -1], [0, 1, 2, 3, 4]]
    assert explanation.values[0, -1] == 0
    assert np.argwhere(equal_rows(QUERIES, RECORDS)).tolist() == [[0, 1]]


def test_noise_depends_on_key_and_query_alone(key):
    x = np.random.default_rng(0).standard_normal((4, 3))
    noise = laplace(key, x, 8)
    assert (laplace(key, x[::-1], 8)[::-1] == noise).all()
    assert (laplace(key, x[:1] * 1.0, 8) == noise[:1]).all()
    assert (laplace(key, np.array([[-0.0]]), 8) == laplace(key, np.array([[0.0]]), 8)).all()
    assert not (laplace(jax.random.key(8), x, 8) == noise).any()
    assert len(np.unique(noise)) == noise.size


def test_noise_has_the_scale_of_standard_laplace(key):
    draws = np.abs(laplace(key, np.arange(20.0)[:, None], 2000)).ravel()
    # |Laplace| is exponential of mean 1: 5 standard errors of 40,000 draws, and far from 2/3 and 3/2.
    assert abs(draws.mean() - 1) < 5 / 200


def test_strong_noise_selects_at_random_and_none_selects_exactly(key):
    x = np.arange(500.0)[:, None]
    influence = np.tile([1.0, 0.0], (500, 1))
    records = np.array([[-1.0], [-2.0]])
    assert (explain(influence, x, records, RecordPart(k=1), key=key).records == 0).all()
    noisy = explain(influence, x, records, RecordPart(k=1, noise=100.0), key=key)
    assert 0.4 < noisy.records.mean() < 0.6
    assert set(np.unique(noisy.values)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("released", "message"),
    [
        (RecordPart(k=6), "k=6: must be between 1 and 5"),
        (RecordPart(values="sign"), "values='sign'"),
        (RecordPart(noise=-1.0), "noise"),
        (RecordPart(clip=0.0), "clip"),
        (RecordPart(digits=0), "digits"),
    ],
)
def test_what_cannot_be_released_is_refused(key, released, message):
    with pytest.raises(UsageError, match=message):
        shown(released, key)
