"""Whatever lies where a user's file is expected is one line and no traceback, and nothing waits for a pipe's end."""

import os

import pytest

from experiments import _config_file
from leakjax import data, report, shadow
from leakjax._validate import UsageError
from leakjax.data.mapped import mapped
from leakjax.records.encode import parkinsons
from leakjax.report import sections


class Flags(dict):
    def read_flags_from_files(self, argv):
        return argv


def config(path):
    _config_file.expanded(["audit", f"--config={path}"], Flags(config=None))


def in_folder(name, read):
    """A reader of a folder, of whose file it is that a test has damaged."""

    def of(path):
        folder = path.with_suffix(".folder")
        folder.mkdir()
        (folder / name).symlink_to(path)
        read(folder)

    return of


READERS = {
    "csv": lambda path: data.load(f"csv:{path}", label="class"),
    "parquet": lambda path: data.load(f"parquet:{path}", label="class"),
    "npz": lambda path: data.load(f"npz:{path}"),
    "mapped": mapped,
    "parkinsons": parkinsons,
    "config": config,
    "report": in_folder("report.json", report.read),
    "records": in_folder("report.json", sections.of_workdir),
    "ensemble": in_folder("recipe.json", shadow.contents),
}
CONTENTS = {
    "nothing": b"",
    "not UTF-8": b"\xff\xfe\x00{}",
    "zeros": bytes(100),
    "a cut object": b'{"a": [1, 2',
    "a list": b"[1, 2]\n",
    "a number": b"3\n",
    "lists without end": b"[" * 200_000,
    "gzip cut off": b"\x1f\x8b\x08\x00",
    "half a table": b'a,b,class\n1,"2',
}
PLACES = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("what", [*CONTENTS, *PLACES])
def test_what_is_no_such_file_is_one_line(reader, what, tmp_path):
    path = tmp_path / "file"
    if what in CONTENTS:
        path.write_bytes(CONTENTS[what])
    else:
        PLACES[what](path)
    with pytest.raises(UsageError) as found:
        READERS[reader](path)
    assert str(tmp_path) in str(found.value)
    assert "\n" not in str(found.value)
