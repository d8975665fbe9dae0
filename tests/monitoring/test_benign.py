"""Each kind of benign stream is what its name says."""

import jax
import numpy as np
import pytest

from leakjax.monitoring import benign
from leakjax.monitoring.plan import KINDS

pytestmark = pytest.mark.slow  # each kind is a program of its own

QUERIES = 105


@pytest.fixture(scope="module")
def streams(world):
    key = jax.random.key(1)
    return {
        name: np.asarray(jax.jit(lambda key, kind=kind: kind(world, key, QUERIES))(key))
        for name, kind in benign.STREAMS.items()
    }


def test_records_lie_between_two_of_one_class(world):
    pool, label = np.asarray(world.pool, np.float64), np.asarray(world.label)
    draw = jax.jit(lambda key: benign.plain(world, key, 1)[0])
    for seed in range(5):
        x = np.asarray(draw(jax.random.key(seed)), np.float64)
        between = [
            np.linalg.norm(a - x) + np.linalg.norm(b - x) - np.linalg.norm(a - b)
            for c in range(world.classes)
            for a in pool[label == c]
            for b in pool[label == c]
        ]
        assert min(between) < 1e-5


def test_every_stream_has_its_queries_and_no_two_accounts_share_one(world, streams):
    assert set(benign.STREAMS) == set(KINDS)
    assert {xs.shape for xs in streams.values()} == {(QUERIES, 12)}
    assert all(np.isfinite(xs).all() for xs in streams.values())
    draw = jax.jit(lambda account: benign.stream(world, jax.random.key(0), account, 20))
    of = lambda account: np.asarray(draw(account))
    first, second = of(0), of(len(KINDS))
    assert np.abs(first[:, None] - second[None]).sum(axis=2).min() > 0
    assert np.array_equal(first, of(0))


def test_retries_repeat_the_query_before(streams):
    repeated = np.all(streams["retries"][1:] == streams["retries"][:-1], axis=1)
    assert 0.2 < repeated.mean() < 0.6
    assert not np.all(streams["plain"][1:] == streams["plain"][:-1], axis=1).any()


def test_what_if_users_edit_each_record_twenty_times(world):
    edits = jax.jit(lambda key: benign.what_if(world, key, QUERIES))
    for seed in (0, 1, 2, 3):
        xs = np.asarray(edits(jax.random.key(seed))).reshape(-1, 21, 12)
        from_start = (xs != xs[:, :1]).sum(axis=2)
        one_by_one = (xs[:, 1:] != xs[:, :-1]).sum(axis=2)
        assert from_start[:, 1:].max() == 1 or one_by_one.max() == 1
        assert from_start[:, -1].max() >= 1


def test_batches_send_a_file_again_with_few_records_renewed(streams):
    first, second = streams["batches"][:50], streams["batches"][50:100]
    kept = np.all(first == second, axis=1)
    assert 0.7 < kept.mean() < 1.0


def test_sensors_read_a_record_several_times_with_noise(world, streams):
    readings = streams["sensors"].reshape(-1, 3, 12)
    assert readings.std(axis=1, ddof=1).mean() == pytest.approx(world.noise, rel=0.2)


def test_bursts_are_runs_of_one_class(world, streams):
    means = np.stack([np.asarray(world.pool)[np.asarray(world.label) == c].mean(axis=0) for c in range(3)])
    nearest = np.argmin(((streams["bursts"][:, None] - means) ** 2).sum(axis=2), axis=1)
    for run in nearest[:100].reshape(-1, 25):
        assert np.mean(run == np.bincount(run).argmax()) > 0.8
