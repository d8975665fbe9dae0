"""Damage of stored blocks, disks that are full, directories that cannot be written."""

import resource
import shutil
import stat

import jax
import numpy as np
import pytest
from orbax import checkpoint as orbax

from leakjax import shadow
from leakjax._validate import UsageError
from leakjax.shadow import stored
from tests.shadow.small import assert_same_bits, train


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    directory = tmp_path_factory.mktemp("master")
    train(directory, range(4), block=2)
    return directory


@pytest.fixture
def whole(master):
    return shadow.load(master)


@pytest.fixture
def copy(master, tmp_path):
    return shutil.copytree(master, tmp_path / "copy")


def harm(file, how):
    content = bytearray(file.read_bytes())
    if how == "missing":
        file.unlink()
        return
    if how == "truncated":
        content = content[:-1]
    elif not content:
        content = b"x"
    else:
        content[{"first": 0, "middle": len(content) // 2, "last": -1}[how]] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["first", "middle", "last", "truncated", "missing"])
def test_damage_to_any_file_of_a_block_is_found_and_named(copy, how):
    block = next((copy / "blocks").iterdir())
    files = [
        file for file in block.rglob("*") if file.is_file() and (how != "truncated" or file.stat().st_size)
    ]
    assert {"manifest.json", "_METADATA"} <= {file.name for file in files}
    for file in files:
        before = file.read_bytes()
        harm(file, how)
        with pytest.raises(UsageError, match=rf"{file.name}: damaged"):
            shadow.load(copy)
        with pytest.raises(UsageError, match=rf"{file.name}: damaged.*--damaged=retrain"):
            train(copy, range(4), block=2)
        file.write_bytes(before)
    shadow.load(copy)


def test_a_damaged_block_is_trained_again_where_asked_and_no_other(copy, whole):
    first, second = sorted((copy / "blocks").iterdir())
    stamp = first.stat().st_mtime_ns
    harm(second / "arrays" / "_METADATA", "middle")
    said, seen = [], set()
    train(
        copy, range(4), damaged="retrain", say=said.append, on_epoch=lambda now: seen.update(now.ids.tolist())
    )
    assert seen == {2, 3}
    assert first.stat().st_mtime_ns == stamp
    assert str(second / "arrays" / "_METADATA") in said[0]
    assert_same_bits(shadow.load(copy), whole)


def test_a_block_that_is_gone_is_trained_again(copy, whole):
    shutil.rmtree(sorted((copy / "blocks").iterdir())[0])
    np.testing.assert_array_equal(shadow.contents(copy).ids, [2, 3])
    train(copy, range(4))
    assert_same_bits(shadow.load(copy), whole)


def test_a_damaged_recipe_is_named(copy):
    (copy / "recipe.json").write_text("[1")
    with pytest.raises(UsageError, match=r"recipe.json: damaged"):
        shadow.load(copy)


def test_a_damaged_epoch_checkpoint_costs_the_block_begun_and_nothing_else(tmp_path, whole):
    class Killed(BaseException):
        pass

    def kill(now):
        if (now.block, now.epoch) == (1, 2):
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path, range(4), block=2, save_every=0, on_epoch=kill)
    (begun,) = (tmp_path / "begun").iterdir()
    harm(begun / "arrays" / "_METADATA", "middle")
    said, epochs = [], []
    train(tmp_path, range(4), block=2, say=said.append, on_epoch=lambda now: epochs.append(now.epoch))
    assert epochs == [0, 1, 2]
    assert "this block begins anew" in said[0]
    assert_same_bits(shadow.load(tmp_path), whole)


# A thread of orbax may fail a second time, after its event loop was closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_is_one_line_and_earlier_blocks_are_whole(tmp_path, whole):
    train(tmp_path, range(2), block=2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(UsageError, match="cannot be written") as caught:
            train(tmp_path, range(4), block=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(shadow.load(tmp_path).ids, [0, 1])
    train(tmp_path, range(4), block=2)
    assert_same_bits(shadow.load(tmp_path), whole)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/ensemble': cannot be written"):
        train(tmp_path / "file" / "ensemble", range(2))


def test_disks_that_are_too_small_are_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    seen = []
    with pytest.raises(UsageError, match=r"4 models take up to .* GiB of disk, 0.0 are free"):
        train(tmp_path, range(4), on_epoch=seen.append)
    assert not seen


def test_lists_and_scalars_come_back(tmp_path):
    tree = {"a": [np.arange(3), {"b": np.float32(2)}]}
    stored.write(tmp_path / "tree", tree, {"ids": [1]})
    got = stored.read(tmp_path / "tree")
    np.testing.assert_array_equal(got["a"][0], [0, 1, 2])
    assert got["a"][1]["b"] == 2
    assert stored.about(tmp_path / "tree") == {"ids": [1]}


@pytest.mark.parametrize(("process", "written"), [(0, True), (1, False)])
def test_orbax_under_the_index_of_another_process_reports_success_and_writes_nothing(
    tmp_path, process, written
):
    """Why `stored.write` names the index that jax gives this process: the day orbax refuses, it need not."""
    assert jax.process_index() == 0
    alone = orbax.options.MultiprocessingOptions(
        primary_host=process, active_processes={process}, barrier_sync_key_prefix="test"
    )
    handler = orbax.StandardCheckpointHandler(multiprocessing_options=alone)
    checkpointer = orbax.Checkpointer(handler, multiprocessing_options=alone)
    checkpointer.save(tmp_path / "tree", args=orbax.args.StandardSave({"a": np.arange(3)}))
    assert (tmp_path / "tree" / "_METADATA").exists() == written


def test_blocks_are_their_owners_alone_in_a_folder_of_others_too(tmp_path):
    tmp_path.chmod(0o755)
    train(tmp_path, range(4), block=2)
    blocks = list((tmp_path / "blocks").iterdir())
    assert len(blocks) == 2
    assert [stat.S_IMODE(block.stat().st_mode) for block in blocks] == [0o700] * 2


def test_what_a_killed_run_left_of_the_recipe_goes_with_the_next(tmp_path):
    left = tmp_path / ".recipe.json.4711.unfinished"
    left.write_text('{"epochs": ')
    train(tmp_path, range(2))
    assert not left.exists()
    assert [path.name for path in tmp_path.glob("*recipe*")] == ["recipe.json"]
