"""CIFAR-10 and CIFAR-100: 60,000 colour pictures of 10 or 100 kinds of things."""

import io
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from leakjax._validate import UsageError
from leakjax.data import files
from leakjax.data.points import Points, in_order
from leakjax.data.registry import registered

_URL = "https://www.cs.toronto.edu/~kriz"


class _Layout(NamedTuple):
    original: files.Original
    splits: dict[str, list[str]]  # split -> members of the archive
    labels: int  # label bytes before each image, the last of which is used
    classes: int


CIFAR10 = _Layout(
    files.Original(
        "cifar-10-binary.tar.gz",
        f"{_URL}/cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    {
        "train": [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)],
        "test": ["cifar-10-batches-bin/test_batch.bin"],
    },
    labels=1,
    classes=10,
)
CIFAR100 = _Layout(
    files.Original(
        "cifar-100-binary.tar.gz",
        f"{_URL}/cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
    {"train": ["cifar-100-binary/train.bin"], "test": ["cifar-100-binary/test.bin"]},
    labels=2,  # coarse, then fine
    classes=100,
)


@registered("cifar10")
def load_cifar10(data_dir: Path, source_dir: Path | None = None) -> Points:
    """The 50,000 training and the 10,000 test images of CIFAR-10, in this order.

    Args:
      data_dir: where the set is prepared once and read from later.
      source_dir: a folder that holds the official binary archive; downloaded if None.

    Returns:
      The points, x uint8 [60000, 32, 32, 3].
    """
    return _load("cifar10", CIFAR10, data_dir, source_dir)


@registered("cifar100")
def load_cifar100(data_dir: Path, source_dir: Path | None = None) -> Points:
    """The 50,000 training and the 10,000 test images of CIFAR-100 with their fine labels, in this order.

    Args:
      data_dir: as in `load_cifar10`.
      source_dir: as in `load_cifar10`.

    Returns:
      The points, x uint8 [60000, 32, 32, 3].
    """
    return _load("cifar100", CIFAR100, data_dir, source_dir)


def _load(name: str, layout: _Layout, data_dir: Path, source_dir: Path | None) -> Points:
    from leakjax.data import prepared  # imported here: slow, and the embedded sets do without

    def splits() -> dict[str, prepared.Columns]:
        folders = [source_dir] if source_dir else []
        archive = files.content(layout.original, folders, data_dir / "downloads" / name)
        return _read_archive(archive, layout)

    columns = prepared.columns(f"leakjax_{name}", splits, data_dir, version="1.0.0")
    return in_order(columns["image"], columns["label"], classes=layout.classes, name=name)


def _read_archive(archive: bytes, layout: _Layout) -> dict[str, dict[str, np.ndarray]]:
    # Members are read in memory, by name: nothing that an archive says becomes a path on this machine.
    splits = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for split, names in layout.splits.items():
            rows = np.concatenate([_rows(tar, name, layout) for name in names])
            # Each image is three planes, red, green and blue, of 32 rows.
            images = rows[:, layout.labels :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            splits[split] = {"image": images, "label": rows[:, layout.labels - 1].astype(np.int32)}
    return splits


def _rows(tar: tarfile.TarFile, name: str, layout: _Layout) -> np.ndarray:
    member = tar.extractfile(name) if name in tar.getnames() else None
    if member is None:
        raise UsageError(f"{layout.original.name}: has no file {name}")
    return np.frombuffer(member.read(), np.uint8).reshape(-1, layout.labels + 3 * 32 * 32)
