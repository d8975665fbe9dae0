"""Units of work: which there are, that each is kept, and the time that is left."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from leakjax.records.encode import Task
from leakjax.records.plan import PARTS, plan_for
from leakjax.records.progress import show_progress, time_left
from leakjax.records.run import run_units
from leakjax.records.units import Unit, units_of
from tests.influence.conftest import task


def silent(unit, seconds):
    """Shows nothing."""


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
    once = run_units(counted(first), log, on_unit=silent)
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[1:]) + lines[0][:20])  # the first lost, and a line cut short
    seen = []
    again = run_units(
        counted(second), log, on_unit=lambda unit, seconds: seen.append((unit.name, seconds > 0))
    )
    assert first == [("a", 0), ("a", 1), ("b", 0)]
    assert second == [("a", 0)]
    assert again.rows == once.rows == {"a": [{"is": ["a", 0]}, {"is": ["a", 1]}], "b": [{"is": ["b", 0]}]}
    assert seen == [("a 0", True), ("a 1", False), ("b 0", False)]
    run_units(counted(second), log, on_unit=silent)
    assert second == [("a", 0)]  # kept, though the log ended in the middle of a line


def test_a_result_is_what_json_keeps_of_it(tmp_path):
    unit = Unit("a", 0, 1.0, lambda: {"pair": (1, 2)})
    found = run_units([unit], tmp_path / "metrics.jsonl", on_unit=silent)
    assert found.rows == {"a": [{"pair": [1, 2]}]}
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["result"] == {"pair": [1, 2]}


def test_a_failure_keeps_what_was_done(tmp_path):
    done = []

    def fails():
        raise RuntimeError("no")

    todo = [*counted(done), Unit("c", 0, 1.0, fails)]
    with pytest.raises(RuntimeError, match="no"):
        run_units(todo, tmp_path / "metrics.jsonl", on_unit=silent)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("spent", "measured", "waiting", "words"),
    [
        (0.0, 0.0, 5.0, ""),
        (3.0, 2.0, 0.0, ""),
        (3.0, 2.0, 4.0, "about 6 s left"),
        (30.0, 2.0, 40.0, "about 10 min left"),
    ],
)
def test_the_time_left_follows_the_pace_so_far(spent, measured, waiting, words):
    assert time_left(spent, measured, waiting) == words


def test_in_a_pipe_progress_is_a_line_now_and_then():
    out = io.StringIO()
    todo = [Unit("[red]", number, float(number + 1), dict) for number in range(3)]
    with show_progress(todo, console=Console(file=out), every=0.0) as on_unit:
        on_unit(todo[0], 0.0)  # held: says nothing about the pace
        on_unit(todo[1], 4.0)
        on_unit(todo[2], 6.0)
    assert out.getvalue().splitlines() == [
        "[red] 0: 1 of 3 done",
        "[red] 1: 2 of 3 done, about 6 s left",
        "[red] 2: 3 of 3 done",
    ]
    out = io.StringIO()
    with show_progress(todo, console=Console(file=out), every=1e9) as on_unit:
        for unit in todo:
            on_unit(unit, 1.0)
    assert out.getvalue().splitlines() == ["[red] 2: 3 of 3 done"]


def test_in_a_terminal_progress_is_a_bar():
    out = io.StringIO()
    todo = [Unit("draws", 0, 1.0, dict)]
    console = Console(file=out, force_terminal=True, width=100)
    with show_progress(todo, console=console) as on_unit:
        on_unit(todo[0], 1.0)
    assert "draws 0" in out.getvalue()
    assert "1/1" in out.getvalue()
