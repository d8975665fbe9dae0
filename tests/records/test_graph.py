import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.graph import STRATEGIES, adjacency, coverage, summarise, traverse


def reachable(neighbours):
    """By powers of the adjacency matrix."""
    count = len(neighbours)
    step = np.eye(count, dtype=int)
    for source, targets in enumerate(neighbours):
        step[source, [t for t in targets if t >= 0]] = 1
    return np.linalg.matrix_power(step, count) > 0


# 0 -> 1 -> 2 -> 0 is a component of three; 3 and 4 lead into it; 5 shows itself alone.
SMALL = np.array([[1, 0], [2, 1], [0, 2], [0, 1], [3, 0], [5, -1]])


def test_the_key_figures_of_a_graph_counted_by_hand():
    # In-degrees, self-loops among them: 0 by 0, 2, 3, 4; 1 by 0, 1, 3; 2 by 1, 2; 3 by 4; 4 by none; 5 by 5.
    assert summarise(SMALL)._asdict() == {
        "components": 4,
        "singletons": 3,
        "largest": 3,
        "max_in_degree": 4,
        "in_degree_zero": 1,
    }
    assert adjacency(SMALL).sum() == 11


def test_components_and_coverage_match_brute_force():
    neighbours = np.random.default_rng(0).integers(-1, 30, (30, 2))
    reach = reachable(neighbours)
    assert coverage(neighbours).tolist() == reach.sum(axis=1).tolist()
    classes = {frozenset(np.flatnonzero(reach[i] & reach[:, i])) for i in range(30)}
    summary = summarise(neighbours)
    assert summary.components == len(classes)
    assert summary.largest == max(map(len, classes))
    assert summary.singletons == sum(len(c) == 1 for c in classes)


@pytest.mark.parametrize("strategy", [*STRATEGIES, "omniscient"])
def test_every_strategy_finds_all_that_is_reachable(strategy, key):
    neighbours = np.random.default_rng(1).integers(0, 40, (40, 3))
    expected = coverage(neighbours)
    for start in range(0, 40, 7):
        walk = traverse(neighbours, start, strategy, key=key)
        assert walk.known == expected[start]
        assert walk.queries <= walk.known


def test_the_omniscient_attacker_needs_the_fewest_queries(key):
    # 0 shows the decoy 1 and the hub 2, which shows everything.
    neighbours = np.array([[1, 2, 0], [0, 1, 0], [3, 4, 5], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert traverse(neighbours, 0, "omniscient", key=key).queries == 2
    assert traverse(neighbours, 0, "breadth_first", key=key).queries == 3
    assert traverse(neighbours, 0, "depth_first", key=key).queries == 2


def test_an_unknown_strategy_is_named(key):
    with pytest.raises(UsageError, match="did you mean 'greedy'"):
        traverse(SMALL, 0, "gredy", key=key)
