import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leakjax.data import prepared

TRAIN = {"image": np.arange(7 * 4, dtype=np.uint8).reshape(7, 2, 2, 1), "label": np.arange(7, dtype=np.int32)}
TEST = {"image": TRAIN["image"][::-1], "label": TRAIN["label"][::-1]}
SPLITS = {"train": TRAIN, "test": TEST}


def never():
    pytest.fail("reads the original files of a set that is prepared")


def test_rows_come_back_in_order_with_their_types_and_without_the_originals(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "_READ", 3)  # several reads a split
    for splits in (lambda: SPLITS, never):
        columns = prepared.columns("some_set", splits, tmp_path, "1.0.0")
        for key in TRAIN:
            np.testing.assert_array_equal(columns[key], np.concatenate([TRAIN[key], TEST[key]]))
            assert columns[key].dtype == TRAIN[key].dtype


def test_tensorflow_is_not_imported_even_where_it_is_installed(tmp_path):
    (tmp_path / "tensorflow.py").write_text("")
    code = """
import sys
from pathlib import Path
import numpy as np
from leakjax.data import prepared
columns = {"x": np.zeros((3, 2), np.float32), "label": np.zeros(3, np.int32)}
for _ in range(2):
    prepared.columns("some_set", lambda: {"train": columns}, Path(sys.argv[1]), "1.0.0")
print("tensorflow" in sys.modules)
"""
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_nothing_is_printed(tmp_path, capfd):
    prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
    assert capfd.readouterr() == ("", "")


def test_another_version_is_prepared_beside_the_first(tmp_path):
    prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
    columns = prepared.columns("some_set", lambda: {"train": TEST}, tmp_path, "1.1.0")
    np.testing.assert_array_equal(columns["label"], TEST["label"])


def test_a_process_that_comes_second_uses_what_the_first_prepared(tmp_path):
    def splits():
        # While this one reads the originals, the other finishes.
        prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
        return SPLITS

    columns = prepared.columns("some_set", splits, tmp_path, "1.0.0")
    np.testing.assert_array_equal(columns["label"], np.concatenate([TRAIN["label"], TEST["label"]]))


def test_a_process_overtaken_while_it_writes_uses_what_the_other_prepared(tmp_path):
    class Overtaken(dict):
        def items(self):  # called when the records are generated, in the unfinished folder
            if not (tmp_path / "some_set" / "1.0.0").exists():
                prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
            return super().items()

    splits = {"train": Overtaken(TRAIN), "test": Overtaken(TEST)}
    columns = prepared.columns("some_set", lambda: splits, tmp_path, "1.0.0")
    np.testing.assert_array_equal(columns["label"], np.concatenate([TRAIN["label"], TEST["label"]]))
    assert [path.name for path in (tmp_path / "some_set").iterdir()] == ["1.0.0"]


def test_a_failed_preparation_leaves_nothing_behind(tmp_path):
    broken = {"train": TRAIN | {"image": TRAIN["image"].astype(np.float64)}, "test": TEST}
    with pytest.raises(Exception, match="image"):
        prepared.columns("some_set", lambda: broken, tmp_path, "1.0.0")
    assert not list((tmp_path / "some_set").iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path, usage_error):
    (tmp_path / "file").write_text("")
    message = usage_error(prepared.columns, "some_set", lambda: SPLITS, tmp_path / "file", "1.0.0")
    assert f"{tmp_path / 'file'}: cannot prepare some_set there" in message


@pytest.mark.parametrize("damage", ["flip", "truncate", "truncate at a block", "remove"])
def test_damaged_records_are_an_error(tmp_path, usage_error, damage):
    prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
    (path,) = tmp_path.glob("some_set/1.0.0/*train.array_record*")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[content.index(b"image") + 20] ^= 1
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[: len(content) // 2 + 100])
    elif damage == "truncate at a block":
        path.write_bytes(content[: 1 << 16])
    else:
        path.unlink()
    message = usage_error(prepared.columns, "some_set", never, tmp_path, "1.0.0")
    assert f"{tmp_path}/some_set/1.0.0: damaged" in message
    assert "remove this folder" in message


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("left", [None, 0, 40])
def test_a_damaged_description_is_an_error(tmp_path, usage_error, name, left):
    prepared.columns("some_set", lambda: SPLITS, tmp_path, "1.0.0")
    path = tmp_path / "some_set" / "1.0.0" / name
    content = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(content[:left])
    message = usage_error(prepared.columns, "some_set", never, tmp_path, "1.0.0")
    assert f"{tmp_path}/some_set/1.0.0: damaged" in message
