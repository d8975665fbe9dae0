"""From scores to rates: alarms, thresholds, disguises and intervals, each against counting by hand."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

from leakjax.monitoring import alarms, disguise, measure, rows, watch
from leakjax.monitoring.attackers import Attack
from leakjax.monitoring.plan import SPLIT
from leakjax.monitoring.watch import Highest

NAMES = ("a", "b", "shared_budget")


@pytest.fixture(scope="module")
def benign():
    generator = np.random.default_rng(0)
    highest = [generator.normal(size=(3, 2000)) for _ in range(2)]
    return [Highest(each, each[:2] - 1.0) for each in highest]


def test_thresholds_allow_what_they_say(benign):
    calibration, _ = benign
    found = alarms.limits(calibration)
    for rate in ("0.001", "0.01"):
        allowed = float(rate) * 2000
        for name in alarms.detectors(NAMES):
            chosen = found[rate].of(name, NAMES)
            alarmed = alarms.alarming(calibration.whole, chosen).sum()
            assert allowed / 2 - 2 <= alarmed < allowed
        assert set(found[rate].of("any_of_an_account", NAMES)) == {0, 1}
        assert set(found[rate].of("any", NAMES)) == {0, 1, 2}


def test_the_first_alarm_is_that_of_any_chosen_detector():
    generator = np.random.default_rng(1)
    scores = {0: generator.random((6, 9)), 2: generator.random((4, 9))}
    chosen = {0: 0.85, 2: 0.9}
    expected = []
    for attack in range(4):
        hits = [q + 1 for q in range(9) if any(scores[d][attack, q] > chosen[d] for d in chosen)]
        expected.append(hits[0] if hits else 0)
    assert alarms.first_alarm(scores, chosen).tolist() == expected
    assert len(set(expected)) > 2


def test_split_scores_come_back_in_the_order_of_the_attack():
    queries = np.arange(2 * 4 * SPLIT).reshape(2, 4 * SPLIT)
    split = disguise.disguised(
        None, jnp.asarray(queries, jnp.float32)[..., None], "split_30", jax.random.key(0)
    )
    assert split.streams.shape == (2 * SPLIT, 4, 1)
    assert split.streams[1, :, 0].tolist() == [1, 31, 61, 91]
    scores = np.asarray(split.streams[..., 0])[None]
    assert alarms.in_order(scores, 2)[0].tolist() == queries.tolist()


@pytest.mark.parametrize(("how", "share"), [("decoys_50", 0.5), ("decoys_90", 0.9)])
def test_decoys_are_records_between_the_queries_of_an_attack(world, how, share):
    queries = jnp.repeat(1000.0 + jnp.arange(4000, dtype=jnp.float32).reshape(20, 200, 1), 12, axis=2)
    found = disguise.disguised(world, queries, how, jax.random.key(3))
    streams, own = np.asarray(found.streams), np.asarray(found.own)
    theirs = streams[..., 0] >= 1000
    assert np.mean(~theirs) == pytest.approx(share, abs=0.03)
    assert np.array_equal(own, np.cumsum(theirs, axis=1))
    for attack in range(20):
        sent = streams[attack][theirs[attack], 0]
        assert sent.tolist() == np.asarray(queries[attack, : len(sent), 0]).tolist()


def test_interleaved_attacks_take_turns():
    queries = jnp.arange(12 * 40, dtype=jnp.float32).reshape(12, 40, 1)
    found = disguise.disguised(None, queries, "interleaved", jax.random.key(0))
    assert found.streams[11, :12, 0].tolist() == [
        float(40 * ((11 + t % 10) % 12) + t // 10) for t in range(12)
    ]
    assert found.own[0, [0, 9, 10]].tolist() == [1, 1, 2]


def test_intervals_are_exact():
    for count, number in ((0, 40), (7, 40), (40, 40)):
        found = rows.share(np.arange(number) < count)
        exact = stats.binomtest(count, number).proportion_ci(method="exact")
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
        assert found.value == count / number


def test_an_attack_that_is_caught_has_what_was_answered_before_its_alarm(benign):
    calibration, tested = benign
    found = alarms.limits(calibration)
    progress = np.tile(np.linspace(0.1, 1.0, 10), (4, 1))
    scores = np.full((4, 10), -9.0)
    scores[0, 3] = scores[1, 9] = 99.0  # alarms at queries 4 and 10
    scores[2, 0] = 99.0
    carried = measure.Carried(np.zeros((4, 10, 1)), progress)
    scored = measure.Scored({0: scores, 1: scores - 50, 2: scores[:2]}, np.tile(np.arange(1, 11), (4, 1)))
    attack = Attack("probe", "something", 0.9, None, None, None, None)
    listed = rows.attack_rows(attack, carried, "none", scored, NAMES, found, tested)
    by_name = {row.detector: row for row in listed}
    alone = by_name["a"]
    assert alone.attacks == 4
    assert alone.tpr["0.01"].value == 0.75
    assert alone.delay["0.01"] == 4
    assert alone.reached["0.01"] == pytest.approx(np.median([0.3, 0.9, 0.0, 1.0]))
    assert alone.won["0.01"] == 0.5
    assert by_name["shared_budget"].attacks == 2
    expected = np.mean(tested.whole[0] > found["0.01"].alone[0])
    assert alone.chance["0.01"] == pytest.approx(expected)
    split = rows.attack_rows(attack, carried, "split_30", scored, NAMES, found, tested)
    early = np.mean(tested.early[0] > found["0.01"].alone[0])
    assert split[0].chance["0.01"] == pytest.approx(1 - (1 - early) ** 30)


def test_where_nobody_watches_an_attack_keeps_the_best_it_had():
    progress = np.array([[0.1, 0.95, 0.2], [0.1, 0.2, 0.3], [0.9, 0.1, 0.1]])
    attack = Attack("nes", "something", 0.9, None, None, None, None)
    row = rows.attacker_row(attack, measure.Carried(np.zeros((3, 3, 1)), progress))
    assert (row.reached, row.queries_to_goal, row.won, row.aimed_at) == (0.9, 2.0, pytest.approx(2 / 3), True)


def test_every_benign_kind_has_its_row(benign):
    calibration, tested = benign
    found = rows.benign_rows(NAMES, tested, alarms.limits(calibration))
    own = [row for row in found if row.detector == "a"]
    assert [row.kind for row in own] == ["all", "plain", "bursts", "retries", "what_if", "batches", "sensors"]
    assert sum(row.accounts for row in own[1:]) == own[0].accounts == 2000
    hits = sum(round(row.alarms["0.01"].value * row.accounts) for row in own[1:])
    assert hits == round(own[0].alarms["0.01"].value * 2000)


def test_a_crowd_asks_in_turn_and_shares_one_state(world):
    from leakjax.monitor import families, run, shared_budget

    watching = watch.Watch(
        {"families": families(12, radius=0.6)}, shared_budget(12, radius=0.6, capacity=30, size=12)
    )
    streams = np.random.default_rng(2).normal(size=(4, 20, 12)).astype(np.float32) / 4
    found = np.asarray(watch.crowd_program(watching)(jnp.asarray(streams)))
    in_turn = np.asarray(run(watching.shared, jnp.asarray(streams.swapaxes(0, 1).reshape(80, 12)))[1])
    assert found.tolist() == in_turn.reshape(20, 4).T.tolist()
    assert found.max() > 2
    alone = np.asarray(watch.program(watching)(jnp.asarray(streams)))
    assert alone.shape == (1, 4, 20)
    assert (
        alone[0, 2].tolist() == np.asarray(run(watching.own["families"], jnp.asarray(streams[2]))[1]).tolist()
    )
