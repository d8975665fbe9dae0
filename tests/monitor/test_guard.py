"""A guarded service, as its owner mounts it: in a few lines, from many threads, over restarts."""

import threading

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax import monitor
from leakjax._validate import UsageError
from tests.monitor.streams import records, stream

FAMILIES = monitor.families(12, radius=0.2, capacity=16)._replace(threshold=5.0)
SHARED = monitor.shared_budget(12, radius=0.2, capacity=200)._replace(threshold=5.0)


def explain(x, scale=1.0):
    return {"map": scale * 3.21 * np.asarray(x, np.float64), "class": 1}


def probes(count, around=0, seed=0):
    generator = np.random.default_rng(seed)
    return records(9)[around] + 0.01 * generator.normal(size=(count, 12)).astype(np.float32)


def test_a_service_is_guarded_in_a_few_lines(tmp_path):
    benign = np.stack([stream(60, seed=seed) for seed in range(100)])
    families = monitor.monitors_for(records(80), noise=0.05)["families"]
    watching = monitor.set_threshold(families, monitor.highest_scores(families, benign), rate=0.02)
    guarded = monitor.guard(explain, [watching], on_alarm="refuse", folder=tmp_path / "guard")
    alarmed = 0
    for number, asked in enumerate(benign[:10]):
        actions = {guarded(x, account=f"user {number}").action for x in asked}
        alarmed += actions != {"answered"}
    assert alarmed == np.sum(monitor.highest_scores(families, benign[:10]) > watching.threshold) <= 2
    attack = [guarded(x, account="attacker") for x in probes(200)]
    refused = [answer.action for answer in attack].index("refused")
    assert refused == watching.threshold
    assert attack[refused].alarms == (watching.name,)
    assert attack[refused].answer is None
    assert attack[0].answer["map"] == pytest.approx(3.21 * probes(1)[0], rel=1e-6)
    assert "attacker" in guarded.alarmed
    guarded.save(tmp_path / "guard")
    again = monitor.guard(explain, [watching], on_alarm="refuse", folder=tmp_path / "guard")
    assert again(records(9)[5], account="attacker").action == "refused"
    assert again(records(9)[5], account="someone new").action == "answered"


def test_after_its_alarm_an_account_gets_what_was_said():
    xs = probes(9)
    calls = []

    def counted(x, **options):
        calls.append(x)
        return explain(x, **options)

    coarse = monitor.guard(counted, FAMILIES, on_alarm="coarsen")
    answers = [coarse(x, account="a", scale=2.0) for x in xs]
    assert [one.action for one in answers] == ["answered"] * 5 + ["coarsened"] * 4
    plain, kept = explain(xs[8], 2.0)["map"], answers[8].answer["map"]
    assert 1 < np.abs(plain).max() < 10
    np.testing.assert_allclose(kept, np.round(plain))
    assert answers[8].answer["class"] == 1
    cache = monitor.guard(counted, FAMILIES, on_alarm="cache")
    answers = [cache(x, account="a") for x in xs]
    assert [one.action for one in answers] == ["answered"] * 5 + ["cached"] * 4
    nearest = np.argmin([np.sum((xs[7] - earlier) ** 2) for earlier in xs[:5]])
    assert answers[7].answer is answers[nearest].answer
    del calls[:]
    refuse = monitor.guard(counted, FAMILIES, on_alarm="refuse")
    answers = [refuse(x, account="a") for x in xs]
    assert [one.answer for one in answers[5:]] == [None] * 4
    assert len(calls) == 5
    assert refuse(records(9)[3], account="b").action == "answered"
    refuse.forgive("a")
    assert refuse(xs[0], account="a").action == "answered"


def test_a_family_has_one_budget_whoever_asks():
    guarded = monitor.guard(explain, [SHARED], on_alarm="cache")
    actions = [guarded(x, account=f"account {number}").action for number, x in enumerate(probes(8))]
    assert actions == ["answered"] * 5 + ["refused"] * 3  # an account of one query has no answer to repeat
    assert guarded(records(9)[4], account="account 7").action == "answered"
    assert guarded.alarmed == ()


def test_what_was_saved_goes_on_as_if_nothing_had_happened(tmp_path):
    limits = {FAMILIES: 26.0, SHARED: 45.0, monitor.successive_steps(12): 0.75}
    monitors = [one._replace(threshold=limit) for one, limit in limits.items()]
    streams = {f"user {seed}": stream(60, seed=seed) for seed in range(3)}

    def ask(guarded, part):
        return [
            (answer.action, answer.alarms)
            for name, xs in streams.items()
            for answer in [guarded(x, account=name) for x in xs[part]]
        ]

    whole = monitor.guard(explain, monitors, on_alarm="cache")
    ask(whole, slice(0, 30))
    first = monitor.guard(explain, monitors, on_alarm="cache")
    ask(first, slice(0, 30))
    first.save(tmp_path)
    second = monitor.guard(explain, monitors, on_alarm="cache", folder=tmp_path)
    expected = ask(whole, slice(30, 60))
    assert ask(second, slice(30, 60)) == expected
    assert len({action for action, _ in expected}) > 1


def test_a_cached_answer_survives_a_restart(tmp_path):
    cache = monitor.guard(explain, FAMILIES, on_alarm="cache")
    for x in probes(6):
        cache(x, account="a")
    cache.save(tmp_path)
    restored = monitor.guard(explain, FAMILIES, on_alarm="cache", folder=tmp_path)
    before, after = (one(probes(7)[6], account="a") for one in (cache, restored))
    assert before.action == after.action == "cached"
    np.testing.assert_array_equal(before.answer["map"], after.answer["map"])


def test_a_state_that_does_not_fit_or_is_damaged_is_named(tmp_path):
    guarded = monitor.guard(explain, FAMILIES)
    guarded(probes(1)[0], account="a")
    guarded.save(tmp_path)
    with pytest.raises(UsageError, match="holds the state of other monitors"):
        monitor.guard(explain, SHARED, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-3] + b"xyz")
    with pytest.raises(UsageError, match=r"is damaged, its checksum is wrong; move it away") as error:
        monitor.guard(explain, FAMILIES, folder=tmp_path)
    assert "\n" not in str(error.value)
    path.write_bytes(content)
    monitor.guard(explain, FAMILIES._replace(threshold=9.0), folder=tmp_path)  # a threshold is no state
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_threads_lose_no_query_and_mix_no_accounts():
    limit = 40
    own = monitor.families(12, radius=0.2, capacity=16)._replace(threshold=float(limit))
    shared = monitor.shared_budget(12, radius=0.2, capacity=500)._replace(threshold=1e9)
    guarded = monitor.guard(explain, [own, shared], on_alarm="refuse")
    actions = {name: [] for name in range(8)}
    barrier = threading.Barrier(16)

    def client(name, seed):
        barrier.wait()
        for x in probes(30, around=name, seed=seed):
            answer = guarded(x, account=str(name))
            actions[name].append(answer.action)
            if answer.answer is not None:
                np.testing.assert_allclose(answer.answer["map"], 3.21 * np.asarray(x, np.float64))

    # Two threads an account: 60 near-duplicates, of which exactly 40 are answered, however they interleave.
    threads = [threading.Thread(target=client, args=(number % 8, number)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found.count("answered") for found in actions.values()] == [limit] * 8
    assert [found.count("refused") for found in actions.values()] == [20] * 8


def test_accounts_are_bounded_and_those_that_alarmed_are_forgotten_last():
    guarded = monitor.guard(explain, FAMILIES, accounts=3)
    for x in probes(6):
        guarded(x, account="bad")
    assert guarded.alarmed == ("bad",)
    for number in range(20):
        guarded(records(30)[number], account=f"good {number}")
    assert guarded.alarmed == ("bad",)
    assert guarded(records(9)[1], account="bad").action == "refused"


def test_one_digit_is_what_is_left_of_the_largest_value():
    answer = {"map": jnp.asarray([0.94, -0.26, 0.04]), "zeros": np.zeros(2), "class": 3, "none": np.zeros(0)}
    coarse = monitor.one_digit(answer)
    np.testing.assert_allclose(coarse["map"], [0.9, -0.3, 0.0], atol=1e-6)
    large = monitor.one_digit(np.array([437.0, 52.0, -49.0]))
    assert large.tolist() == [400.0, 100.0, 0.0]
    assert coarse["zeros"].tolist() == [0.0, 0.0]
    assert coarse["class"] == 3
    assert jax.tree.structure(coarse) == jax.tree.structure(answer)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: monitor.guard(explain, []), "monitors='none': must be at least one"),
        (
            lambda: monitor.guard(explain, FAMILIES, on_alarm="deny"),
            "on_alarm='deny': must be one of coarsen",
        ),
        (lambda: monitor.guard(explain, [FAMILIES, FAMILIES]), "monitors='families(radius=0.2"),
        (
            lambda: monitor.guard(explain, monitor.successive_steps(3)),
            "successive_steps(window=32).threshold=inf",
        ),
        (lambda: monitor.guard(explain, FAMILIES, accounts=0), "accounts=0: must be at least 1"),
        (
            lambda: monitor.guard(explain, [FAMILIES, monitor.successive_steps(3)._replace(threshold=1.0)]),
            "successive_steps(window=32)='3 features': others have 12",
        ),
        (lambda: monitor.guard(explain, FAMILIES)(np.zeros(5), account="a"), "x='5 features': must have 12"),
        (
            lambda: monitor.guard(explain, FAMILIES)(np.full(12, np.nan), account="a"),
            "x='12 values not finite'",
        ),
        (lambda: monitor.guard(explain, FAMILIES)("text", account="a"), "x='text': must be an array"),
        (lambda: monitor.guard(explain, FAMILIES)(np.zeros(12), account=7), "account=7: must be a text"),
    ],
)
def test_bad_input_is_one_clear_line(fault, said):
    with pytest.raises(UsageError) as error:
        fault()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
