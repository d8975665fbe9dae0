"""Stages: what is kept comes back as it was, and no damage to a file ever does."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._workdir import claim

ROOT = Path(__file__).parents[2]
ONE, OTHER = "1" * 64, "2" * 64
VALUE = {
    "scores": np.arange(6, dtype=np.float32).reshape(2, 3),
    "text": np.array(["a", "bc"]),
    "membership": np.array([[True], [False]]),
    "scalar": np.float32(0.1),
    "nothing": np.zeros((0, 4), np.int32),
    "rows": [1, 0.1, None, True, ("é", float("inf"))],
}


def never():
    pytest.fail("computed again")


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray | np.generic):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found == expected


@pytest.fixture
def said():
    return []


@pytest.fixture
def workdir(tmp_path, said):
    with claim(tmp_path, say=said.append) as claimed:
        yield claimed


def only_file(workdir):
    [path] = (workdir.path / "stages").iterdir()
    return path


def test_a_value_comes_back_as_it_was_computed_or_read(workdir, said):
    assert_same(workdir.stage("scores", ONE, lambda: VALUE), VALUE)
    assert_same(workdir.stage("scores", ONE, never), VALUE)
    assert workdir.stage("jax", ONE, lambda: jnp.arange(3)).tolist() == [0, 1, 2]
    assert not said


@pytest.mark.parametrize(
    "value", [{1: 2}, {1, 2}, np.array([object()]), object(), np.datetime64("2026-11-25")]
)
def test_what_would_not_come_back_the_same_is_refused(workdir, value):
    with pytest.raises(TypeError, match="a stage"):
        workdir.stage("scores", ONE, lambda: value)
    assert not list((workdir.path / "stages").iterdir())


def test_a_stage_serves_under_its_own_name_and_fingerprint_alone(workdir):
    for number, (name, mark) in enumerate([("a", ONE), ("a", OTHER), ("b", ONE)]):
        assert workdir.stage(name, mark, lambda number=number: number) == number
    # Back at a setting that was tried before, nothing is done again.
    assert workdir.stage("a", ONE, never) == 0
    assert workdir.stage("a", OTHER, never) == 1


def test_names_may_be_any_text_of_any_length(workdir):
    names = ["a/b", "../up", "a b", "a_b", "A_B", "a" * 1000, "a" * 1001, "lime(grid=4)", "é\n", "", "\ud800"]
    for number, name in enumerate(names):
        workdir.stage(name, ONE, lambda number=number: number)
    for number, name in enumerate(names):
        assert workdir.stage(name, ONE, never) == number
    assert len(list((workdir.path / "stages").iterdir())) == len(names)
    assert not (workdir.path.parent / "up").exists()


def test_settings_that_were_not_used_for_long_make_room(workdir):
    for number in range(8):
        workdir.stage("a", f"{number:064x}", lambda number=number: number)
        os.utime(next((workdir.path / "stages").glob("*")))  # clocks of files may be coarse
    workdir.stage("b", ONE, lambda: 1)
    assert len(list((workdir.path / "stages").iterdir())) == 5
    assert workdir.stage("a", f"{7:064x}", never) == 7


def test_every_flipped_bit_and_every_length_is_found_and_done_again(workdir, said):
    workdir.stage("scores", ONE, lambda: VALUE)
    path = only_file(workdir)
    whole = path.read_bytes()
    damages = [whole[:end] for end in range(len(whole))] + [whole + b"\0", whole + whole, bytes(len(whole))]
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        damages.append(bytes(flipped))
    for content in damages:
        path.write_bytes(content)
        said.clear()
        done = []
        found = workdir.stage("scores", ONE, lambda done=done: done.append(1) or VALUE)
        assert (len(done), len(said)) == (1, 1)
        assert str(path) in said[0]
        assert "scores is done again" in said[0]
        assert_same(found, VALUE)
        assert path.read_bytes() == whole


def test_swapped_stages_are_found(workdir, said):
    stages = workdir.path / "stages"
    for name, mark in (("a", ONE), ("b", ONE), ("b", OTHER)):
        workdir.stage(name, mark, lambda name=name, mark=mark: name + mark)
    paths = sorted(stages.iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    for name, mark in (("a", ONE), ("b", ONE), ("b", OTHER)):
        assert workdir.stage(name, mark, lambda name=name, mark=mark: name + mark) == name + mark
    assert sum("holds another stage" in line for line in said) == 3


def test_what_is_no_file_is_found(workdir, said):
    workdir.stage("a", ONE, lambda: 1)
    path = only_file(workdir)

    def folder():
        path.mkdir()
        (path / "inside").touch()

    for make in (folder, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), lambda: None):
        path.unlink()
        make()
        said.clear()
        assert workdir.stage("a", ONE, lambda: 2) == 2
        assert workdir.stage("a", ONE, never) == 2
    assert (path.with_name(path.name + ".aside-1") / "inside").exists()


def test_a_stage_that_fails_leaves_nothing(workdir):
    with pytest.raises(ZeroDivisionError):
        workdir.stage("a", ONE, lambda: 1 / 0)
    assert not list((workdir.path / "stages").iterdir())
    assert workdir.kept == []
    assert workdir.stage("a", ONE, lambda: 1) == 1
    assert workdir.kept == ["a"]


FULL = """
import resource, sys
import numpy as np
from leakjax._workdir import claim
from leakjax._validate import UsageError
with claim(sys.argv[1]) as workdir:
    workdir.stage("small", "1" * 64, lambda: 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        workdir.stage("large", "1" * 64, lambda: np.zeros(1_000_000))
    except UsageError as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_what_is_finished_stays(tmp_path):
    # A limit on the size of files stands for the end of the disk: the same system call fails.
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert "File too large" in done.stdout
    assert "what is finished stays" in done.stdout
    assert len(list((tmp_path / "stages").iterdir())) == 1
    with claim(tmp_path) as workdir:
        assert workdir.stage("small", ONE, never) == 1


def test_a_log_is_written_line_by_line_and_never_read(workdir, said):
    (workdir.path / "metrics.jsonl").write_bytes(b"\xff{")
    workdir.log({"stage": "train", "epoch": 0})
    assert (workdir.path / "metrics.jsonl").read_bytes() == b'\xff{{"stage": "train", "epoch": 0}\n'
    (workdir.path / "metrics.jsonl").unlink()
    (workdir.path / "metrics.jsonl").mkdir()
    workdir.log({"epoch": 1}, {"epoch": 2})
    assert len(said) == 1
    assert (workdir.path / "metrics.jsonl").read_text() == '{"epoch": 1}\n{"epoch": 2}\n'
