"""What every monitor promises: a batch is its queries one by one, accounts do not mix, the state has one size."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

from leakjax import monitor
from leakjax._validate import UsageError
from tests.monitor.streams import records, stream

MONITORS = monitor.monitors_for(
    records(80), noise=0.05, classify=lambda x: (x[0] > 0.5).astype(jnp.int32), classes=2
)
NAMES = list(MONITORS)


@pytest.fixture(scope="module")
def streams():
    return np.stack([stream(90, seed=seed) for seed in range(4)])


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_at_once_is_its_queries_one_by_one_and_its_accounts_alone(name, streams):
    one = MONITORS[name]
    update, state, scores = jax.jit(one.update), one.init(), []
    for x in streams[1]:
        state, score = update(state, x)
        scores.append(float(score))
    end, alone = monitor.run(one, jnp.asarray(streams[1]))
    together = monitor.scores_of(one, streams)
    np.testing.assert_allclose(alone, scores, atol=1e-5)
    np.testing.assert_allclose(together[1], scores, atol=1e-5)
    assert np.ptp(scores) > 0
    assert jax.tree.map(np.shape, end) == jax.tree.map(np.shape, one.init())
    assert sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(end)) == monitor.state_bytes(one)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_may_be_stopped_and_gone_on_with(name, streams):
    one = MONITORS[name]
    whole = np.asarray(monitor.run(one, jnp.asarray(streams[0]))[1])
    state, first = monitor.run(one, jnp.asarray(streams[0, :33]))
    _, rest = monitor.run(one, jnp.asarray(streams[0, 33:]), state)
    np.testing.assert_allclose(np.concatenate([first, rest]), whole, atol=1e-6)


def test_any_of_alarms_where_one_of_them_does(streams):
    half = float(np.median(monitor.scores_of(MONITORS["entropy"], streams)))
    limits = {"families": 4.0, "entropy": half}
    chosen = [MONITORS[name]._replace(threshold=limit) for name, limit in limits.items()]
    alone = [np.asarray(monitor.scores_of(one, streams)) > one.threshold for one in chosen]
    both = monitor.any_of(chosen)
    scores = np.asarray(monitor.scores_of(both, streams))
    assert scores.tolist() == np.sum(alone, axis=0).tolist()
    assert 0 < np.mean(scores > both.threshold) < 1


def test_where_accounts_alarm_first():
    scores = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert monitor.alarms_at(scores, 1.0).tolist() == [2, 0, 1, 0]


def test_a_threshold_leaves_fewer_accounts_above_it_than_may_alarm():
    generator = np.random.default_rng(0)
    for scores in (generator.normal(size=1000), generator.integers(0, 6, 1000).astype(float), np.zeros(1000)):
        for rate in (0.001, 0.01, 0.5):
            limit = monitor.threshold(scores, rate)
            assert np.sum(scores > limit) <= rate * 1000 - 1 or (scores == limit).all()
            lower = scores[scores < limit]
            assert lower.size == 0 or np.sum(scores > lower.max()) >= rate * 1000


@pytest.mark.parametrize("accounts", [100, 200, 1000])  # that each may alarm on: less than one, one, and some
def test_new_accounts_alarm_as_often_as_was_set(accounts):
    generator = np.random.default_rng(1)
    shares = []
    for _ in range(300):
        limits = monitor.thresholds_together(generator.normal(size=(3, accounts)), 0.02)
        shares.append(1 - np.prod(stats.norm.cdf(limits)))  # of independent Gaussian scores, in closed form
    error = np.std(shares) / np.sqrt(len(shares))
    assert 0.6 * 0.02 < np.mean(shares) < 0.02 + 3 * error


def test_monitors_that_alarm_together_share_the_rate():
    generator = np.random.default_rng(1)
    highest = generator.normal(size=(3, 2000))
    highest[1] = highest[0]
    limits = monitor.thresholds_together(highest, 0.01)
    each = [int(np.sum(row > limit)) for row, limit in zip(highest, limits, strict=True)]
    assert len(set(each)) == 1
    # Without an account, the limits are one place lower: so many of the accounts would alarm at those of the others.
    counts = [
        np.any(highest > np.sort(highest, axis=1)[:, ::-1][:, [place]], axis=0).sum()
        for place in (each[0] + 1, each[0] + 2)
    ]
    assert counts[0] <= 20 < counts[1]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: monitor.threshold(np.zeros(99), 0.01), "rate=0.01: needs at least 100 benign accounts"),
        (lambda: monitor.threshold(np.zeros(99), 0.0), "rate=0.0: must be above 0 and below 1"),
        (lambda: monitor.threshold(np.full(99, np.nan), 0.1), "highest='99 not finite'"),
        (lambda: monitor.scores_of(MONITORS["families"], np.zeros((2, 3, 4))), "streams=(2, 3, 4): must be"),
        (
            lambda: monitor.scores_of(MONITORS["families"], np.full((1, 1, 12), np.inf)),
            "streams='not finite'",
        ),
        (lambda: monitor.any_of([]), "monitors='none': must be at least one"),
        (lambda: monitor.any_of([MONITORS["families"], MONITORS["shared_budget"]]), "monitors="),
        (lambda: monitor.family_radius(np.zeros((5, 2))), "radius=0.0: must be above 0"),
        (lambda: monitor.family_radius(np.zeros((1, 2))), "points=1: must be at least 2"),
    ],
)
def test_bad_input_is_one_clear_line(fault, said):
    with pytest.raises(UsageError) as error:
        fault()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_the_radius_is_half_of_where_one_percent_of_records_have_another():
    x = records(300, features=3).astype(np.float64)
    distances = [min(np.linalg.norm(a - b) for b in np.delete(x, row, 0)) for row, a in enumerate(x)]
    assert monitor.family_radius(x) == pytest.approx(np.quantile(distances, 0.01) / 2, rel=1e-4)
