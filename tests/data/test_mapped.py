"""Arrays that are mapped where they lie are verified as those that are read."""

import os

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data.mapped import mapped
from tests.data.test_archive import npy, written

X = (np.arange(3600) % 251).reshape(300, 12).astype(np.float32)


def test_arrays_are_those_that_were_saved_and_are_not_held(tmp_path):
    arrays = {
        "x": X,
        "fortran": np.asfortranarray(X),
        "empty": np.zeros((0, 3)),
        "text": np.array(["a", "bc"]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = mapped(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)
    assert isinstance(found["x"], np.memmap)
    assert not found["x"].flags.writeable


def test_a_flipped_bit_anywhere_is_an_error_or_makes_no_difference(tmp_path):
    path = tmp_path / "a.npz"
    x, y = X[:6, :2], np.arange(6, dtype=np.int8)
    np.savez(path, x=x, y=y)
    whole = path.read_bytes()
    found_out = 0
    for position in range(0, 8 * len(whole), 5):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = mapped(path)
        except UsageError:  # any other error fails the test
            found_out += 1
        else:
            for array, expected in zip(found.values(), (x, y), strict=True):
                np.testing.assert_array_equal(array, expected)
    assert found_out > len(whole)


@pytest.mark.parametrize("shape", [(300, 10), (300, 13), (0,), (10**12,), (-1,)])
def test_a_shape_that_its_bytes_do_not_bear_out_is_an_error(tmp_path, usage_error, shape):
    assert "14400 follow" in usage_error(mapped, written(tmp_path / "a.npz", npy(X, shape)))


def test_every_truncation_is_an_error(tmp_path, usage_error):
    path = tmp_path / "a.npz"
    np.savez(path, x=X[:4])
    whole = path.read_bytes()
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        assert str(path) in usage_error(mapped, path)


def test_what_is_no_file_of_numpys_is_named(tmp_path, usage_error):
    np.savez_compressed(tmp_path / "packed.npz", x=X)
    assert "is compressed" in usage_error(mapped, tmp_path / "packed.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    assert "pipe or device" in usage_error(mapped, tmp_path / "pipe.npz")
    assert "no such file" in usage_error(mapped, tmp_path / "none.npz")
    assert "pipe or device" in usage_error(mapped, "/dev/zero")
