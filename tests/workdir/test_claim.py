"""One run a folder: who is refused, who takes over, and what is left when a process ends."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from leakjax._validate import UsageError
from leakjax._workdir import claim
from leakjax._workdir.claim import STALE

ROOT = Path(__file__).parents[2]
HOLDER = Path(__file__).with_name("holder.py")


@pytest.fixture
def hold():
    """Starts a process that holds a folder: hold(folder, process, processes) -> (process, its first line)."""
    with ExitStack() as running:

        def start(folder, process=0, processes=1):
            holder = subprocess.Popen(
                [sys.executable, HOLDER, folder, str(process), str(processes)],
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            running.callback(holder.wait)
            running.callback(holder.stdout.close)
            running.callback(holder.kill)
            return holder, holder.stdout.readline().strip()

        yield start


def refused(folder, **options):
    with pytest.raises(UsageError) as error, claim(folder, **options):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_second_run_is_refused_by_name_and_the_first_goes_on(tmp_path, hold):
    holder, line = hold(tmp_path)
    assert line == "claimed"
    message = refused(tmp_path, config={"seed": 1})
    assert f"workdir='{tmp_path}'" in message
    assert f"process {holder.pid}" in message
    assert "another --workdir" in message
    # Nobody takes over from a process that runs here, whatever the flag says.
    assert f"process {holder.pid}" in refused(tmp_path, take_over=True)
    assert holder.poll() is None
    assert json.loads((tmp_path / "config.json").read_text()) == {"seed": 0}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_process_holds_nothing(tmp_path, hold, how):
    holder, _ = hold(tmp_path)
    holder.send_signal(how)
    holder.wait()
    with claim(tmp_path) as workdir:
        assert workdir.path == tmp_path


def test_a_claim_ends_with_its_block_however_that_ends(tmp_path):
    def fail_inside():
        with claim(tmp_path):
            assert "in use" in refused(tmp_path)
            raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fail_inside()


def test_processes_of_one_run_share_a_folder_and_others_are_refused(tmp_path, hold):
    assert hold(tmp_path, 0, 2)[1] == "claimed"
    assert hold(tmp_path, 1, 2)[1] == "claimed"
    assert "in use" in hold(tmp_path, 1, 2)[1]
    assert "in use" in hold(tmp_path, 2, 3)[1]  # as many others say that they are two
    assert "in use" in hold(tmp_path, 0, 1)[1]
    assert "in use" in refused(tmp_path, config={"seed": 1}, process=2, processes=2)


def write_claim(folder, *, age=0.0, **changed):
    """The claim that a process of another host would have left, heard of `age` seconds ago."""
    fields = {
        "host": "far",
        "machine": "another",
        "pid": 7,
        "since": "2026-11-25 01:00:00",
        "token": "ab",
        "run": "cd",
        "processes": 1,
        **changed,
    }
    path = folder / ".claim.0"
    path.write_text(json.dumps(fields))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_another_host_is_believed_alive_for_some_minutes(tmp_path):
    path = write_claim(tmp_path, age=20.0)
    kept = path.read_bytes()
    message = refused(tmp_path)
    assert "process 7 on far" in message
    assert "--take_over" in message
    assert path.read_bytes() == kept
    with claim(tmp_path, take_over=True):
        assert "far" not in path.read_text()
    write_claim(tmp_path, age=STALE + 1)
    with claim(tmp_path):
        pass


def test_another_hosts_run_beside_ours_is_a_stranger(tmp_path):
    write_claim(tmp_path, processes=2)
    assert "process 7 on far" in refused(tmp_path, process=1, processes=2)
    write_claim(tmp_path, processes=2, age=STALE + 1)
    with claim(tmp_path, process=1, processes=2):
        pass


def test_a_run_that_was_taken_over_writes_nothing_more(tmp_path):
    with claim(tmp_path) as workdir:
        workdir.write("report.json", b"mine")
        write_claim(tmp_path)
        with pytest.raises(UsageError, match="taken over by process 7 on far"):
            workdir.write("report.json", b"not mine any more")
        with pytest.raises(UsageError, match="taken over"):
            workdir.stage("scores", "0" * 64, lambda: 1)
    assert (tmp_path / "report.json").read_bytes() == b"mine"
    assert "far" in (tmp_path / ".claim.0").read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"host": 1}', b"null"])
def test_a_damaged_claim_blocks_nobody(tmp_path, content):
    (tmp_path / ".claim.0").write_bytes(content)
    with claim(tmp_path):
        assert "in use" in refused(tmp_path)


@pytest.mark.parametrize("name", [".claim.0", "config.json", "stages"])
def test_what_lies_in_the_place_of_ours_is_set_aside_and_not_deleted(tmp_path, name):
    if name == "stages":
        (tmp_path / name).write_text("a file")
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    said = []
    with claim(tmp_path, {"seed": 1}, say=said.append) as workdir:
        assert workdir.stage("scores", "0" * 64, lambda: 1) == 1
    assert len(said) == 1
    assert str(tmp_path / name) in said[0]
    aside = tmp_path / f"{name}.aside-1"
    assert aside.read_text() == "a file" if name == "stages" else (aside / "inside").exists()
    assert json.loads((tmp_path / "config.json").read_text()) == {"seed": 1}


@pytest.mark.parametrize("content", ["[1, 2]", "{", '{"seed": 3}'])
def test_config_json_is_a_record_and_decides_nothing(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with claim(tmp_path, {"seed": 1}):
        assert json.loads((tmp_path / "config.json").read_text()) == {"seed": 1}


def test_a_folder_is_its_owners_alone(tmp_path):
    with claim(tmp_path / "new", {"seed": 1}) as workdir:
        workdir.stage("scores", "0" * 64, lambda: 1)
    (tmp_path / "shared").mkdir(mode=0o755)
    with claim(tmp_path / "shared") as workdir:
        workdir.stage("scores", "0" * 64, lambda: 1)
        workdir.write("figures/roc.png", b"")
        workdir.log({"epoch": 0})
    for path in (tmp_path / "new", *(tmp_path / "shared").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_what_a_killed_run_left_unfinished_goes_and_the_rest_stays(tmp_path):
    for folder in (tmp_path, tmp_path / "stages", tmp_path / "figures", tmp_path / "mine"):
        folder.mkdir(exist_ok=True)
        (folder / ".a.0.unfinished").touch()
        (folder / "b").touch()
    (tmp_path / "checkpoints" / "deep" / ".block.3.unfinished" / "part").mkdir(parents=True)
    with claim(tmp_path):
        pass
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*unfinished*")}
    assert left == {"mine/.a.0.unfinished"}  # not a folder of ours
    assert (tmp_path / "figures" / "b").exists()


def test_a_process_among_several_leaves_the_others_files(tmp_path):
    (tmp_path / "stages").mkdir()
    for writer in (0, 1):
        (tmp_path / "stages" / f".a.{writer}.unfinished").touch()
    with claim(tmp_path, process=1, processes=2):
        pass
    assert [path.name for path in (tmp_path / "stages").iterdir()] == [".a.0.unfinished"]


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none"), "a\0b", "a" * 5000):
        assert "workdir=" in refused(path)
