"""Units of work: which there are, that each is kept, and how far they are."""

import json

import numpy as np
import pytest

from leakjax.records.encode import Task
from leakjax.records.plan import PARTS, plan_for
from leakjax.records.run import run_units
from leakjax.records.units import Unit, units_of
from tests.influence.conftest import task


def counted(calls, names=("a", "a", "b"), **changes):
    """Units that note when they are measured."""
    numbers = dict.fromkeys(names, 0)
    made = []
    for name in names:
        number = numbers[name]
        numbers[name] += 1
        made.append(
            Unit(name, number, 1.0, lambda key=(name, number): calls.append(key) or {"is": list(key)})
        )
    return made


def test_the_units_of_a_plan_stand_in_its_order_and_count_alone():
    x, y = task(90, 4)
    small = Task("small", x, y, np.arange(4), {})
    plan = plan_for("adult", parts=("sizes", "draws", "network", "sweep"), draws=2, points=40)
    todo = units_of(plan, lambda scaling: small)
    counts = {part: sum(unit.part == part for unit in todo) for part in PARTS}
    # 20, 40 and 80 points of 90; two draws, two penalties of a network, ten settings.
    assert counts == {"draws": 2, "defenses": 0, "approximations": 0, "network": 2, "sweep": 20, "sizes": 6}
    assert list(dict.fromkeys(unit.part for unit in todo)) == list(plan.parts)
    assert [unit.measure()["points"] for unit in todo[:6]] == [20, 20, 40, 40, 80, 80]


def test_what_the_log_holds_is_not_measured_again(tmp_path):
    first, second = [], []
    log = tmp_path / "metrics.jsonl"
    once = run_units(counted(first), log)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[1:]) + lines[0][:20])  # the first lost, and a line cut short
    seen = []
    again = run_units(counted(second), log, tell=lambda share, name: seen.append((share, name)))
    assert first == [("a", 0), ("a", 1), ("b", 0)]
    assert second == [("a", 0)]
    assert again.rows == once.rows == {"a": [{"is": ["a", 0]}, {"is": ["a", 1]}], "b": [{"is": ["b", 0]}]}
    assert seen == [(pytest.approx(2 / 3), ""), (1, "a 0")]
    run_units(counted(second), log)
    assert second == [("a", 0)]  # kept, though the log ended in the middle of a line


def test_a_share_is_of_the_effort_and_not_of_the_units(tmp_path):
    todo = [Unit("a", number, effort, dict) for number, effort in enumerate((1.0, 6.0, 3.0))]
    shares = []
    run_units(todo, tmp_path / "metrics.jsonl", tell=lambda share, name: shares.append(share))
    assert shares == pytest.approx([0, 0.1, 0.7, 1])


def test_a_result_is_what_json_keeps_of_it(tmp_path):
    unit = Unit("a", 0, 1.0, lambda: {"pair": (1, 2)})
    found = run_units([unit], tmp_path / "metrics.jsonl")
    assert found.rows == {"a": [{"pair": [1, 2]}]}
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["result"] == {"pair": [1, 2]}


def test_a_failure_keeps_what_was_done(tmp_path):
    done = []

    def fails():
        raise RuntimeError("no")

    todo = [*counted(done), Unit("c", 0, 1.0, fails)]
    with pytest.raises(RuntimeError, match="no"):
        run_units(todo, tmp_path / "metrics.jsonl")
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3
