import gzip
import io
import tarfile

import numpy as np
import pytest

from leakjax.data import cifar, deduplicate, fashion_mnist, files, in_order, load


def idx(values):
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


@pytest.fixture
def clothes(tmp_path, monkeypatch, original):
    """Files of eight training and four test images, the last of which is the first; the folders, x and y."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (12, 28, 28)).astype(np.uint8)
    x[-1] = x[0]
    y = rng.integers(0, 10, 12).astype(np.uint8)
    source = tmp_path / "source"
    source.mkdir()
    described = {}
    for split, rows in (("train", slice(8)), ("test", slice(8, None))):
        described[split] = []
        for kind, values in (("images", x), ("labels", y)):
            name, content = f"{split}-{kind}", idx(values[rows])
            (source / f"{name}.gz").write_bytes(gzip.compress(content))
            described[split].append(original(name, content))
    monkeypatch.setattr(fashion_mnist, "FILES", described)
    return {"data_dir": tmp_path / "prepared", "source_dir": source}, x, y


def test_fashion_mnist_is_train_then_test_scaled_and_without_duplicates(clothes):
    folders, x, y = clothes
    points = load("fashion_mnist", **folders)
    assert points.x.shape == (11, 28, 28, 1)
    assert points.x.dtype == np.float32
    np.testing.assert_array_equal(points.x[..., 0], x[:11].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(points.y, y[:11])
    np.testing.assert_array_equal(points.ids, range(11))
    assert (points.duplicates, points.classes, points.name) == (1, 10, "fashion_mnist")


def test_fashion_mnist_is_read_from_where_it_was_prepared(clothes):
    folders, _, y = clothes
    load("fashion_mnist", **folders)
    for path in folders["source_dir"].iterdir():
        path.unlink()
    np.testing.assert_array_equal(load("fashion_mnist", **folders).y, y[:11])


def test_real_fashion_mnist(tmp_path, monkeypatch):
    if not fashion_mnist.DEBIAN.is_dir():
        pytest.skip(f"no {fashion_mnist.DEBIAN}: install Debian's dataset-fashion-mnist")
    split = {}
    for name, originals in fashion_mnist.FILES.items():
        contents = [files.content(original, [fashion_mnist.DEBIAN], tmp_path) for original in originals]
        split[name] = [fashion_mnist._idx(content) for content in contents]
    x, y = (np.concatenate(parts) for parts in zip(split["train"], split["test"], strict=True))
    assert x.shape == (70_000, 28, 28)
    np.testing.assert_array_equal(np.bincount(y), np.full(10, 7000))
    # The mean of the training images that is commonly used to standardise them.
    assert round(split["train"][0].mean() / 255, 4) == 0.2860
    assert deduplicate(in_order(x, y, classes=10, name="fashion_mnist")).duplicates == 0
    # Preparing all of it takes long, so a seventh.
    monkeypatch.setattr(fashion_mnist, "FILES", {"test": fashion_mnist.FILES["test"]})
    points = load("fashion_mnist", data_dir=tmp_path)
    np.testing.assert_array_equal(points.x[..., 0], x[60_000:] / np.float32(255))
    np.testing.assert_array_equal(points.y, y[60_000:])


@pytest.fixture(params=["cifar10", "cifar100"])
def pictures(request, tmp_path, monkeypatch, original):
    """An archive of two images a file; its layout, the folders, x and y."""
    layout = {"cifar10": cifar.CIFAR10, "cifar100": cifar.CIFAR100}[request.param]
    rng = np.random.default_rng(0)
    count = 2 * sum(len(names) for names in layout.splits.values())
    x = rng.integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)
    labels = rng.integers(0, layout.classes, (count, layout.labels)).astype(np.uint8)
    rows = np.concatenate([labels, x.reshape(count, -1)], axis=1)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        names = [name for names in layout.splits.values() for name in names]
        for name, content in [*zip(names, np.split(rows, len(names)), strict=True), ("../evil", rows[:1])]:
            member = tarfile.TarInfo(name)
            member.size = content.nbytes
            tar.addfile(member, io.BytesIO(content.tobytes()))
    source = tmp_path / "source"
    source.mkdir()
    (source / layout.original.name).write_bytes(packed.getvalue())
    layout = layout._replace(original=original(layout.original.name, packed.getvalue()))
    monkeypatch.setattr(cifar, request.param.upper(), layout)
    return request.param, layout, {"data_dir": tmp_path / "prepared", "source_dir": source}, x, labels


def test_cifar_is_train_then_test_with_channels_last_and_the_fine_label(pictures, tmp_path):
    name, layout, folders, x, labels = pictures
    points = load(name, **folders)
    expected = np.stack([x[:, channel] for channel in range(3)], axis=-1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(points.x, expected)
    np.testing.assert_array_equal(points.y, labels[:, -1])
    assert points.classes == layout.classes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared", "source"]  # nothing was unpacked


def test_an_archive_of_another_checksum_is_refused(pictures, usage_error):
    name, layout, folders, _, _ = pictures
    path = folders["source_dir"] / layout.original.name
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    message = usage_error(load, name, **folders)
    assert f"{path}: wrong checksum, expected sha256 {layout.original.sha256}" in message
