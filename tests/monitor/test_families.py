"""Families against union by hand: every pair of held queries compared, families merged as sets."""

import numpy as np
import pytest
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.monitor import families, run, shared_budget, state_bytes
from tests.monitor.streams import stream


def slow_scores(xs, radius, capacity):
    held, scores = [], []  # held: (query, the family's set of query numbers)
    for number, x in enumerate(np.asarray(xs, np.float64)):
        distances = [np.linalg.norm(x - other) for other, _ in held]
        if distances and min(distances) <= 1e-4 * radius:
            scores.append(len(held[int(np.argmin(distances))][1]))
            continue
        own = {number}
        for (_, family), distance in zip(list(held), distances, strict=True):
            if distance <= radius:
                own |= family
        held = [(other, own if family & own else family) for other, family in held]
        held = [*held, (x, own)][-capacity:]
        scores.append(len(own))
    return np.array(scores)


@pytest.mark.parametrize("capacity", [1, 7, 64])
@pytest.mark.parametrize("radius", [0.1, 0.4])
def test_scores_are_the_sizes_of_families_by_single_linkage(radius, capacity):
    xs = stream(200)
    expected = slow_scores(xs, radius, capacity)
    assert len(set(expected)) > 3 or capacity == 1
    _, scores = run(families(12, radius=radius, capacity=capacity), jnp.asarray(xs))
    assert scores.tolist() == expected.tolist()


def test_a_query_between_two_families_makes_them_one():
    xs = jnp.asarray([[0.0], [1.0], [0.5], [5.0], [1.4]], jnp.float32)
    assert run(families(1, radius=0.6), xs)[1].tolist() == [1, 1, 3, 1, 4]


def test_a_repeat_counts_once_and_decoys_do_not_make_a_family_small():
    decoys = np.arange(1, 60)[:, None] * 100.0
    probes = np.linspace(0, 1, 30)[:, None]
    xs = [probes[0], probes[0]]
    for decoy, probe in zip(decoys, probes[1:], strict=False):
        xs += [decoy, probe]
    scores = run(families(1, radius=0.1, capacity=4), jnp.asarray(np.array(xs, np.float32)))[1]
    assert scores[1] == 1
    assert scores[-1] == 30  # although the ring holds no more than two of them


def test_sketches_keep_near_queries_near_and_others_apart():
    generator = np.random.default_rng(3)
    records = generator.random((40, 500)).astype(np.float32)
    probes = records[0] + 0.001 * generator.normal(size=(40, 500)).astype(np.float32)
    xs = np.stack([records, probes], axis=1).reshape(80, 500)
    scores = run(families(500, radius=0.2, capacity=64, size=64), jnp.asarray(xs))[1]
    assert scores[::2].max() == 1
    assert scores[-1] == 41


def test_the_state_does_not_grow_and_the_shared_store_watches_all():
    monitor = families(12, radius=0.1, capacity=8)
    state, _ = run(monitor, jnp.asarray(stream(100)))
    assert sum(np.asarray(leaf).nbytes for leaf in state) == state_bytes(monitor) == 8 * (12 + 2) * 4 + 4
    assert not monitor.shared
    assert shared_budget(12, radius=0.1).shared
    assert monitor.threshold == float("inf")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"radius": 0.0}, "radius=0.0: must be above 0"),
        ({"radius": float("nan")}, "radius=nan"),
        ({"radius": 1.0, "capacity": 0}, "capacity=0: must be at least 1"),
    ],
)
def test_what_makes_no_family_is_named(options, said):
    with pytest.raises(UsageError, match=said):
        families(3, **options)
