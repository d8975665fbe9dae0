"""Both binaries alike: killed, stopped, refused, damaged, and in the end the same numbers to the last bit."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leakjax._workdir import claim
from leakjax._workdir.stages import Address, Damaged, read
from tests import damage_runs, kill_runs

BINARIES = ("audit", "records")
OFFSETS = 500  # of a file, spread over all of it; of a shorter one each


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command of a binary, by its name."""
    commands = {
        "audit": kill_runs.AUDIT,
        "records": kill_runs.records_command(tmp_path_factory.mktemp("data")),
    }
    return commands.__getitem__


@pytest.fixture(scope="module")
def whole(tmp_path_factory, command):
    """The workdir of a run that nobody disturbed, by the binary's name."""
    done: dict[str, Path] = {}

    def run(name):
        if name not in done:
            done[name] = tmp_path_factory.mktemp(name) / "whole"
            ended = kill_runs.run(command(name), done[name])
            assert ended.code == 0, ended.said
        return done[name]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", BINARIES)
def test_a_run_that_was_stopped_again_and_again_ends_with_the_same_numbers(name, command, whole, tmp_path):
    work, expected = tmp_path / "work", kill_runs.found(whole(name))
    for count, number in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)):
        ended = kill_runs.run(
            command(name), work, stop=lambda _, count=count: kill_runs.stages(work) > count, number=number
        )
        assert kill_runs.stages(work) > count
        if number == signal.SIGKILL:
            assert ended.code == -number
        else:
            assert ended.code == 128 + number, ended.said
            last = ended.said.splitlines()[-1]
            assert last.startswith(f"stopped by {signal.Signals(number).name}: ")
            assert f"in {work}; the same command goes on from there" in last
            assert "Traceback" not in ended.said
    ended = kill_runs.run(command(name), work)
    assert ended.code == 0, ended.said
    assert kill_runs.found(work) == expected
    assert not list(work.rglob("*.unfinished"))


@pytest.mark.slow
@pytest.mark.parametrize("name", BINARIES)
def test_a_second_run_is_refused_in_one_line(name, command, tmp_path):
    with claim(tmp_path / "work"):
        ended = kill_runs.run(command(name), tmp_path / "work")
    assert ended.code == 2
    lines = [line for line in ended.said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "is in use by process" in lines[0]
    assert "Traceback" not in ended.said


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("name", BINARIES)
def test_every_damage_to_every_file_is_found_named_and_done_again(name, half, command):
    ended = subprocess.run(
        [sys.executable, "-m", "tests.damage_runs", f"{name}:{half}/2", *command(name)[1:]],
        cwd=kill_runs.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    rounds = [json.loads(line) for line in ended.stdout.splitlines()]
    expected = damage_runs.ROUNDS[half::2]
    assert [each["damage"] for each in rounds] == [damage for damage, _ in expected], ended.stderr
    for each, (_, stages) in zip(rounds, expected, strict=True):
        assert each["code"] == 0, each
        assert each["same"], each
        assert {"config.json", "metrics.jsonl", "report.json", "report.html"} <= set(each["files"])
        assert (each["stages"] > 1) == stages
        assert each["unnamed"] == [], each


@pytest.mark.slow
@pytest.mark.parametrize("name", BINARIES)
def test_a_flipped_bit_anywhere_in_a_stage_of_a_real_run_is_found(name, whole, tmp_path):
    for path in (whole(name) / "stages").iterdir():
        content = path.read_bytes()
        about = json.loads(content.split(b"\n", 2)[1])
        address = Address(tmp_path, about["name"], about["fingerprint"])
        address.path.write_bytes(content)
        read(address)
        for place in range(0, len(content), max(1, len(content) // OFFSETS)):
            flipped = bytearray(content)
            flipped[place] ^= 1 << place % 8
            address.path.write_bytes(flipped)
            with pytest.raises(Damaged):
                read(address)


@pytest.mark.slow
@pytest.mark.parametrize("name", BINARIES)
@pytest.mark.parametrize("damage", damage_runs.DAMAGES)
def test_every_damage_to_every_stage_of_a_real_run_is_found(name, damage, whole, tmp_path):
    work = tmp_path / "work"
    (work / "stages").mkdir(parents=True)
    addresses = []
    for path in (whole(name) / "stages").iterdir():
        about = json.loads(path.read_bytes().split(b"\n", 2)[1])
        addresses.append(Address(work / "stages", about["name"], about["fingerprint"]))
        addresses[-1].path.write_bytes(path.read_bytes())
        read(addresses[-1])
    damaged = damage_runs.damage_all(work, damage, stages=True)
    assert {path.name for path in damaged} == {address.path.name for address in addresses}
    for address in addresses:
        with pytest.raises(FileNotFoundError if damage == "gone" else Damaged):
            read(address)
