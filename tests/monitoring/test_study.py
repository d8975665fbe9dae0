"""A whole study, small: in one process, kept, and gone on with."""

import json
import subprocess
import sys

import numpy as np
import pytest

from leakjax.evaluate.document import from_json
from leakjax.monitoring import MonitorReport, Plan

FLAGS = ["--accounts=1000", "--queries=60", "--attacks=12", "--students=1", "--targets=1", "--hidden=12"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("monitor")
    generator = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (generator.normal(size=(3, 10))[y] + generator.normal(size=(300, 10))).astype(np.float32)
    np.savez(folder / "points.npz", x=x, y=y)
    given = [f"--dataset=npz:{folder / 'points.npz'}", f"--workdir={folder / 'run'}", *FLAGS]

    def run(*more):
        command = [sys.executable, "-m", "experiments.monitor", *given, *more]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=request.config.rootpath, timeout=600, check=False
        )

    first = run()
    assert first.returncode == 0, first.stderr
    return folder / "run", run, first


@pytest.mark.slow
def test_a_run_leaves_a_report_and_says_what_it_found(finished):
    folder, _, first = finished
    report = from_json(MonitorReport, json.loads((folder / "report.json").read_text()))
    assert report.config["accounts"] == 1000
    assert len(report.attacks) == 8 * 5 * 9
    assert len(report.actions) == 8 * 3
    for row in report.benign:
        if row.kind == "all":
            assert row.alarms["0.01"].value < 0.05
    noise = next(
        row
        for row in report.attacks
        if (row.attacker, row.disguise, row.detector) == ("uniform_noise", "none", "off_distribution")
    )
    assert noise.tpr["0.01"].value > 0.9
    real = [row for row in report.attacks if row.attacker == "real_points" and row.disguise == "none"]
    assert all(row.tpr["0.01"].value < 0.5 for row in real)
    refused = next(row for row in report.actions if (row.attacker, row.action) == ("uniform_noise", "refuse"))
    assert refused.reached <= refused.unguarded
    assert "kinds of undisguised attacks" in first.stdout
    assert (folder / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_run_goes_on_from_what_it_has_with_the_same_numbers(finished):
    folder, run, _ = finished
    before = json.loads((folder / "report.json").read_text())
    next((folder / "stages").glob("attack_nes*")).unlink()
    again = run()
    assert again.returncode == 0, again.stderr
    after = json.loads((folder / "report.json").read_text())
    for part in ("benign", "attackers", "attacks", "actions", "detectors"):
        assert after[part] == before[part], part


@pytest.mark.slow
def test_bad_input_is_one_line_and_exit_code_2(finished):
    _, run, _ = finished
    result = run("--accounts=7")
    assert result.returncode == 2
    assert result.stderr.strip() == "error: accounts=7: must be at least 1000"


def test_a_plan_is_what_its_flags_say():
    assert Plan(accounts=1000).queries == 200
