import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.answer import answer_of
from leakjax.records.baselines import DISTRIBUTIONS, distinct_revealed, draw_queries, static_batches
from leakjax.records.oracle import RecordOracle, in_chunks


def population():
    rng = np.random.default_rng(0)
    category = np.eye(3)[rng.integers(3, size=200)]
    return np.concatenate([rng.normal(5, 2, (200, 1)), category], axis=1)


def test_true_queries_are_points_and_never_twice_while_they_last(key):
    points = population()
    queries = draw_queries("true", points, 150, key=key)
    rows = {tuple(point) for point in points}
    assert all(tuple(query) in rows for query in queries)
    assert len({query[0] for query in queries}) == 150
    assert len(draw_queries("true", points, 250, key=key)) == 250


def test_marginal_queries_keep_a_block_together_and_nothing_else(key):
    points = population()
    queries = draw_queries("marginal", points, 3000, key=key, blocks=np.array([0, 1, 1, 1]))
    assert (queries[:, 1:].sum(axis=1) == 1).all()
    np.testing.assert_allclose(queries[:, 1:].mean(axis=0), points[:, 1:].mean(axis=0), atol=0.04)
    alone = draw_queries("marginal", points, 3000, key=key)
    assert set(np.unique(alone[:, 1:].sum(axis=1))) == {0, 1, 2, 3}
    assert abs(np.corrcoef(alone[:, 1], alone[:, 2])[0, 1]) < 0.1


def test_uniform_queries_fill_the_range_and_keep_indicators_whole(key):
    points = population()
    queries = draw_queries("uniform", points, 3000, key=key)
    low, high = points[:, 0].min(), points[:, 0].max()
    assert low <= queries[:, 0].min() < low + 0.1
    np.testing.assert_allclose(queries[:, 0].mean(), (low + high) / 2, atol=0.2)
    assert set(np.unique(queries[:, 1:])) == {0.0, 1.0}


def test_an_unknown_distribution_is_named(key):
    with pytest.raises(UsageError, match=r"distribution='unform'.*did you mean 'uniform'"):
        draw_queries("unform", population(), 1, key=key)


def test_distinct_records_are_counted_as_they_arrive():
    assert distinct_revealed(np.array([[3, 1], [1, 3], [2, 1], [-1, -1], [3, 0]])).tolist() == [2, 2, 3, 3, 4]


def test_static_batches_ask_what_each_attacker_knows(key):
    points, asked = population(), []

    def answers(x, y):
        asked.append(x)
        return answer_of(np.zeros(len(x)), np.arange(len(x))[:, None], None)

    blocks = np.array([0, 1, 1, 1])
    shown = static_batches(RecordOracle(in_chunks(answers), 4), points, 50, key=key, blocks=blocks)
    assert list(shown) == list(DISTRIBUTIONS)
    assert all(records[:, 0].tolist() == list(range(50)) for records in shown.values())
    uniform, marginal, true = asked
    known = {row.tobytes() for row in points}
    assert all(row.tobytes() in known for row in true)
    assert not any(row.tobytes() in known for row in uniform)
    assert (marginal[:, 1:].sum(axis=1) == 1).all()
    assert not all(row.tobytes() in known for row in marginal)
