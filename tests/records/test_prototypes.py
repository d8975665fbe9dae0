import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.part import Explanation
from leakjax.records.prototypes import nearest, private_prototypes, substitute

RNG = np.random.default_rng(0)
PROTOTYPES, RECORDS = RNG.standard_normal((4, 3)), RNG.standard_normal((40, 3))
QUERY = np.zeros((1, 3))


def scores(records):
    owner = [int(np.argmin(((PROTOTYPES - r) ** 2).sum(axis=1))) for r in records]
    result = np.zeros(4)
    for at, record in zip(owner, records, strict=True):
        result[at] += np.exp(-(record**2).sum() / (2 * 3))
    return result


def test_nearest_is_the_closest_prototype():
    expected = [int(np.argmin(((PROTOTYPES - r) ** 2).sum(axis=1))) for r in RECORDS]
    assert nearest(RECORDS, PROTOTYPES, chunk=7).tolist() == expected


def test_substitution_replaces_each_record_and_keeps_the_gaps():
    shown = substitute(Explanation(np.array([[3, 0], [5, -1]]), None), RECORDS, PROTOTYPES)
    own = nearest(RECORDS, PROTOTYPES)
    assert shown.records.tolist() == [[own[3], own[0]], [own[5], -1]]


def test_one_record_changes_one_score_by_at_most_one():
    for out in range(len(RECORDS)):
        change = np.abs(scores(RECORDS) - scores(np.delete(RECORDS, out, 0)))
        assert change.max() <= 1
        assert (change > 0).sum() <= 1


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_choice_is_the_exponential_mechanism(epsilon):
    # Queries that differ by 1e-9 have the same scores and fresh noise.
    x = np.arange(20_000)[:, None] * 1e-9 + QUERY
    key = jax.random.key(3)
    chosen = private_prototypes(x, PROTOTYPES, RECORDS, k=1, epsilon=epsilon, key=key)[:, 0]
    counts = np.bincount(chosen, minlength=4) / len(x)

    def mechanism(factor):
        weight = np.exp(factor * epsilon / 2 * scores(RECORDS))
        return weight / weight.sum()

    error = 5 * np.sqrt(0.25 / len(x))
    np.testing.assert_allclose(counts, mechanism(1), atol=error)
    assert np.abs(counts - mechanism(1.5)).max() > error
    assert np.abs(counts - mechanism(2 / 3)).max() > error


def test_k_prototypes_are_distinct_and_the_budget_is_shared():
    x = np.arange(2000)[:, None] * 1e-9 + QUERY
    key = jax.random.key(3)
    chosen = private_prototypes(x, PROTOTYPES, RECORDS, k=3, epsilon=300.0, key=key)
    assert all(len(set(row)) == 3 for row in chosen.tolist())
    assert (np.sort(chosen) == np.sort(np.argsort(-scores(RECORDS))[:3])).all(axis=1).mean() > 0.95


@pytest.mark.parametrize(("k", "epsilon"), [(0, 1.0), (5, 1.0), (1, 0.0)])
def test_bad_arguments_are_refused(k, epsilon, key):
    with pytest.raises(UsageError):
        private_prototypes(QUERY, PROTOTYPES, RECORDS, k=k, epsilon=epsilon, key=key)
