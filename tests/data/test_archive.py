"""Archives that nobody vouches for: damage, lies about sizes, and what is no archive at all."""

import os
import resource
import struct
import zipfile
import zlib

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import archive

X = (np.arange(3600) % 251).reshape(300, 12).astype(np.float64)
Y = np.arange(300) % 2


@pytest.fixture
def error(usage_error):
    """The one line about a file, which names it."""

    def error(path):
        message = usage_error(archive.read, path)
        assert str(path) in message
        return message

    return error


def npy(array, shape=None, descr=None):
    """The bytes of a .npy file whose header may lie."""
    shape = array.shape if shape is None else shape
    header = f"{{'descr': {descr or array.dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + array.tobytes()


def written(path, content, compression=zipfile.ZIP_STORED, name="x.npy"):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_what_numpy_wrote(tmp_path, save):
    arrays = {
        "x": X,
        "fortran": np.asfortranarray(X),
        "text": np.array(["a", "bc"]),
        "empty": np.zeros((0, 3)),
        "big": Y.astype(">i4"),
        "scalar": np.array(1.5),
        "fields": np.zeros(3, [("a", "f4"), ("b", "i8")]),
        "a" * 70: np.zeros(1),
    }
    save(tmp_path / "a.npz", **arrays)
    found = archive.read(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_bit_anywhere_is_an_error_or_makes_no_difference(tmp_path, save):
    path = tmp_path / "a.npz"
    x, y = X[:6, :2].astype(np.float32), Y[:6].astype(np.int8)
    save(path, x=x, y=y)
    whole = path.read_bytes()
    found_out = 0
    for position in range(0, 8 * len(whole), 3):  # two or three bits of every byte
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = archive.read(path)
        except UsageError:  # any other error fails the test
            found_out += 1
        else:
            # A date, or the name of a key: no number and no shape.
            for array, expected in zip(found.values(), (x, y), strict=True):
                np.testing.assert_array_equal(array, expected)
    assert found_out > len(whole)


def test_every_truncation_is_an_error(tmp_path, error):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=X[:4], y=Y[:4])
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert error(path)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((300, 10), "28800 follow"),  # fewer than there are: NumPy reads them and looks no further
        ((300, 13), "28800 follow"),
        ((10**12,), "8000000000000 bytes"),
        ((10**12, 10**12), "28800 follow"),
        ((-1,), "28800 follow"),
        ((-300, -12), "28800 follow"),
        ((0,), "28800 follow"),
    ],
)
def test_a_shape_that_its_bytes_do_not_bear_out_is_an_error(tmp_path, error, shape, words):
    # The checksum is right: whoever wrote the header wrote the file.
    assert words in error(written(tmp_path / "a.npz", npy(X, shape)))


@pytest.mark.parametrize(
    "descr", ["'|O'", "'<f16x'", "'<U9999999999'", "'<f8'*9", "[('a', '|O')]", "1", "'|V0'"]
)
def test_a_type_that_is_none_is_an_error(tmp_path, error, descr):
    assert error(written(tmp_path / "a.npz", npy(X, descr=descr)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x07\x00",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
        b"x",
    ],
)
def test_what_is_not_numpys_format_is_an_error(tmp_path, error, content):
    assert error(written(tmp_path / "a.npz", content + bytes(100)))
    assert error(written(tmp_path / "b.npz", content))


def test_a_deep_header_is_an_error(tmp_path, error):
    assert error(written(tmp_path / "a.npz", npy(X, shape="(" * 5000 + ")" * 5000)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_exotic_compression_is_named(tmp_path, error, compression):
    path = written(tmp_path / "a.npz", npy(X), compression)
    assert "np.savez_compressed" in error(path)


def test_an_encrypted_file_is_named(tmp_path, error):
    path = written(tmp_path / "a.npz", npy(X))
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag, in the file's own header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in error(path)


def test_a_bomb_is_not_unpacked(tmp_path, error):
    """Zeros by a right header: only their size gives them away."""
    path, size = tmp_path / "a.npz", 2**29
    block = bytes(2**24)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(np.zeros(0), shape=(size // 8,)))
        for _ in range(size // len(block)):
            member.write(block)
    before = peak()
    assert "unpack to 0.5 GiB" in error(path)
    assert peak() - before < 2**26


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_size_that_the_directory_only_claims_is_an_error(tmp_path, error):
    path = written(tmp_path / "a.npz", npy(X), zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    content[start + 24 : start + 28] = struct.pack("<I", 4_000_000_000)
    path.write_bytes(content)
    assert "claims 4000000000 bytes" in error(path)


def test_one_stream_cannot_serve_twice(tmp_path, error):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", npy(X))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("x.npy", npy(X))
    assert "'x' twice" in error(path)


def test_what_is_no_regular_file_is_not_read(tmp_path, error):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path):
        assert "folder, pipe or device" in error(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", zlib.compress(b"a"), b"\x93NUMPY\x01\x00"])
def test_what_is_no_archive_is_an_error(tmp_path, error, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert "not a readable .npz file" in error(tmp_path / "a.npz")
