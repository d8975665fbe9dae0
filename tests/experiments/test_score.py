"""The binary that audits answers: what cannot be audited is one line, before a workdir is taken."""

import json
import os

import numpy as np
import pytest

from experiments import score
from tests.experiments.own_flags import ended, own_flags

MODELS, POINTS = 16, 60
RNG = np.random.default_rng(0)
GOOD = {
    "member": RNG.random((MODELS, POINTS)) < 0.5,
    "logits": RNG.normal(size=(MODELS, POINTS, 2)).astype(np.float32),
    "labels": np.arange(POINTS) % 2,
    "attributions": RNG.normal(size=(MODELS, POINTS, 3)).astype(np.float32),
}


@pytest.fixture(scope="module")
def values():
    with own_flags(score.define_flags) as own:
        yield own


@pytest.fixture
def call(values, capsys, tmp_path):
    """Runs `main` on a file: (exit code, lines on standard error)."""

    def call(path, *arguments):
        given = [f"--answers={path}", f"--workdir={tmp_path / 'work'}", *arguments]
        return ended(score.main, values, given), capsys.readouterr().err.splitlines()

    return call


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--seed=-1", "seed=-1: must be in 0..4294967295"),
        ("--seed=4294967296", "seed=4294967296: must be in 0..4294967295"),
        ("--attacks=", "attacks='': must name at least one"),
        ("--defenses=none,clip", "defense='clip': "),
        ("--defenses=", "defenses='': must name at least one"),
        ("--releases=labl", "releases='labl': must be one of"),
        ("--targets=a", "targets='a': must be whole numbers"),
        ("--answers=/nowhere.npz", "/nowhere.npz: no such file"),
        ("--answers=/dev/zero", "/dev/zero: is a folder, pipe or device"),
        ("--answers=", "answers='': must name an .npz file"),
    ],
)
def test_bad_usage_is_one_line_and_takes_no_workdir(call, tmp_path, argument, words):
    np.savez(tmp_path / "good.npz", **GOOD)
    code, lines = call(tmp_path / "good.npz", argument)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"error: {words}")
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_a_run_has_a_row_for_each_defense_and_group_and_its_settings_can_be_given_again(call, tmp_path):
    groups = np.where(np.arange(POINTS) % 3 == 0, "few", "many")
    np.savez(tmp_path / "answers.npz", **GOOD, groups=groups)
    code, _ = call(
        tmp_path / "answers.npz", "--defenses=none,sign()", "--attacks=stacked", "--releases=label"
    )
    assert code == 0
    first = json.loads((tmp_path / "work" / "report.json").read_text())
    assert {row["defense"] for row in first["leakage"] if row["view"] == "both"} == {"none", "sign()"}
    assert {row["level"] for row in first["groups"]} == {"few", "many"}
    code, _ = call(
        tmp_path / "answers.npz",
        f"--config={tmp_path / 'work' / 'config.json'}",
        f"--workdir={tmp_path / 'again'}",
    )
    assert code == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert again["leakage"] == first["leakage"]


def test_a_pipe_or_a_damaged_file_takes_no_workdir(call, tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "cut.npz", **GOOD)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:-400])
    np.savez(tmp_path / "flipped.npz", **GOOD)
    content = bytearray((tmp_path / "flipped.npz").read_bytes())
    content[len(content) // 2] ^= 4  # in the middle of the attributions
    (tmp_path / "flipped.npz").write_bytes(content)
    for name in ("pipe", "cut", "flipped"):
        code, lines = call(tmp_path / f"{name}.npz")
        assert (code, len(lines)) == (2, 1), name
        assert f"{name}.npz: " in lines[0]
        assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"member": np.ones((MODELS, POINTS), bool)}, "member="),
        ({"attributions": GOOD["attributions"][:3]}, "attributions=(3, 60): must have the shape of member"),
        ({"queries": GOOD["logits"]}, "queries=(16, 60, 2): must be [models, points, queries, classes]"),
    ],
)
def test_answers_that_do_not_fit_are_one_line(call, tmp_path, change, words):
    np.savez(tmp_path / "answers.npz", **{**GOOD, **change})
    code, lines = call(tmp_path / "answers.npz")
    assert code == 2
    assert lines[-1].startswith(f"error: {words}")
    assert sum(line.startswith("error: ") for line in lines) == 1
