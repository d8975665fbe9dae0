"""Units of work: which there are, that each is kept, and how far they are."""

import json

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.encode import Task
from leakjax.records.plan import PARTS, plan_for
from leakjax.records.run import run_units
from leakjax.records.units import Unit, units_of
from tests.influence.conftest import task

SMALL = Task("small", *task(90, 4), np.arange(4), {})


def unit(part, number, measure, effort=1.0, fingerprint="0" * 64):
    return Unit(part, number, effort, measure, stage=f"{part} {number}", fingerprint=fingerprint)


def counted(calls, **changes):
    """Units that note when they are measured."""
    return [
        unit(part, number, lambda key=(part, number): calls.append(key) or {"is": list(key)}, **changes)
        for part, number in (("a", 0), ("a", 1), ("b", 0))
    ]


def test_the_units_of_a_plan_stand_in_its_order_and_count_alone():
    parts = ("sizes", "draws", "network", "sweep")
    plan = plan_for("adult", parts=parts, draws=2, points=40, network_points=40)
    todo = units_of(plan, lambda scaling: SMALL)
    counts = {part: sum(unit.part == part for unit in todo) for part in PARTS}
    # 20, 40 and 80 points of 90; two draws, two penalties of a network, ten settings.
    assert counts == {"draws": 2, "defenses": 0, "approximations": 0, "network": 2, "sweep": 20, "sizes": 6}
    assert list(dict.fromkeys(unit.part for unit in todo)) == list(plan.parts)
    assert [unit.measure()["points"] for unit in todo[:6]] == [20, 20, 40, 40, 80, 80]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"points": 91}, "points=91: must be between 2 and 90, the points of small"),
        ({"points": 40, "network_points": 100}, "network_points=100: must be between 2 and 90"),
    ],
)
def test_more_records_than_there_are_is_said_before_anything_is_measured(given, message):
    plan = plan_for("adult", parts=("draws", "network"), **given)
    with pytest.raises(UsageError, match=f"^{message}"):
        units_of(plan, lambda scaling: SMALL)


def changed(**changes):
    """Stage to fingerprint of a small plan's units, with changes."""
    given = {
        "dataset": "adult",
        "parts": ("draws", "sweep"),
        "draws": 3,
        "points": 40,
        "task": SMALL,
        **changes,
    }
    small = given.pop("task")
    plan = plan_for(given.pop("dataset"), **given)
    return {unit.stage: unit.fingerprint for unit in units_of(plan, lambda scaling: small)}


def test_a_flag_that_adds_work_changes_no_unit_that_was_done():
    few, more = changed(), changed(parts=("sizes", "sweep", "draws"), draws=5)
    assert few.items() <= more.items()
    assert len(set(few.values())) == len(few)
    renamed = changed(dataset="npz:moved.npz", task=SMALL._replace(name="moved"), threshold=1e-13)
    assert renamed == few
    assert len(changed(draws=2).items() & few.items()) == 2 + 20


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"seed": 1},
            {"l2": 2.0},
            {"points": 41},
            {"k": 4},
            {"queries": 5},
            {"walks": 5},
            {"loss": "cross_entropy"},
        ),
        *({"threshold": 1e-12}, {"oracles": ("exact",)}, {"scaling": "minmax"}),
        {"task": SMALL._replace(x=SMALL.x + 1e-9)},
        {"task": SMALL._replace(y=1 - SMALL.y)},
        {"task": SMALL._replace(blocks=np.arange(4) // 2)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_setting_or_other_data_changes_every_unit(changes):
    assert not changed().items() & changed(**changes).items()


def test_another_version_of_the_code_changes_every_unit(monkeypatch):
    before = changed()
    monkeypatch.setattr("leakjax.records.units.environment", lambda: {"sources": "another"})
    assert not before.items() & changed().items()


def test_what_is_kept_is_not_measured_again_and_what_is_damaged_is(tmp_path):
    first, second = [], []
    once = run_units(counted(first), tmp_path)
    assert first == [("a", 0), ("a", 1), ("b", 0)]
    (tmp_path / "metrics.jsonl").write_text("[]")  # a log, and no database
    stage = next((tmp_path / "stages").glob("a_0*"))
    stage.unlink()
    seen = []
    again = run_units(counted(second), tmp_path, tell=lambda share, name: seen.append((share, name)))
    assert second == [("a", 0)]
    assert again.rows == once.rows == {"a": [{"is": ["a", 0]}, {"is": ["a", 1]}], "b": [{"is": ["b", 0]}]}
    assert seen == [(pytest.approx(2 / 3), ""), (1, "a 0")]
    stage.write_bytes(stage.read_bytes()[:-1])
    assert run_units(counted(second), tmp_path).rows == once.rows
    assert second == [("a", 0), ("a", 0)]
    run_units(counted(second, fingerprint="1" * 64), tmp_path)
    assert len(second) == 5


def test_nothing_need_be_kept():
    calls = []
    for _ in range(2):
        assert run_units(counted(calls)).rows["b"] == [{"is": ["b", 0]}]
    assert len(calls) == 6


def test_a_share_is_of_the_effort_and_not_of_the_units():
    todo = [unit("a", number, dict, effort) for number, effort in enumerate((1.0, 6.0, 3.0))]
    shares = []
    run_units(todo, tell=lambda share, name: shares.append(share))
    assert shares == pytest.approx([0, 0.1, 0.7, 1])


def test_a_result_is_what_json_keeps_of_it(tmp_path):
    for store in (None, tmp_path, tmp_path):
        found = run_units([unit("a", 0, lambda: {"pair": (1, 2)})], store)
        assert found.rows == {"a": [{"pair": [1, 2]}]}
    [line] = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line).keys() == {"part", "number", "seconds"}


def test_a_failure_keeps_what_was_done(tmp_path):
    done = []

    def fails():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        run_units([*counted(done), unit("c", 0, fails)], tmp_path)
    run_units(counted(done), tmp_path)
    assert len(done) == 3
