import pickle
import zipfile

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import load

X = np.arange(12).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def save(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return path


def load_error(path):
    with pytest.raises(UsageError) as error:
        load(f"npz:{path}")
    message = str(error.value)
    assert "\n" not in message
    return message


def test_points_are_used_as_they_are(tmp_path):
    names = np.array(["age", "height", "weight"])
    path = save(tmp_path, x=X.astype(np.uint8), y=Y, group=np.array([3, 4, 5, 6]), features=names)
    points = load(f"npz:{path}")
    assert (points.x.dtype, points.y.dtype, points.ids.dtype) == (np.float32, np.int32, np.int32)
    np.testing.assert_array_equal(points.x, X)
    np.testing.assert_array_equal(points.y, Y)
    np.testing.assert_array_equal(points.groups["group"], ["3", "4", "5", "6"])
    assert points.feature_names == ["age", "height", "weight"]
    assert (points.name, points.classes, points.duplicates) == (f"npz:{path}", 2, 0)


def test_points_that_are_equal_in_float32_are_duplicates(tmp_path):
    x = np.array([[1.0], [1.0 + 1e-12], [2.0]])
    points = load(f"npz:{save(tmp_path, x=x, y=np.array([0, 1, 1]))}")
    assert points.duplicates == 1
    np.testing.assert_array_equal(points.ids, [0, 2])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "has the keys x; must have x, y and optionally group"),
        ({"x": X, "y": Y, "features": np.array(["a", "b"])}, "has 2 feature names, must have 3, or none"),
        ({"x": X, "y": Y, "features": np.arange(3)}, "features"),
        ({"X": X, "y": Y}, "has the keys X, y; must"),
        ({"x": X, "y": Y, "z": Y}, "has the keys x, y, z; must"),
        ({"x": X.astype(object), "y": Y}, "array 'x' holds objects, which are never loaded"),
        ({"x": X, "y": Y, "group": np.array(["a", None, 1, 2])}, "array 'group' holds objects"),
        ({"x": X.astype(str), "y": Y}, "array 'x' has dtype <U21, must be real numbers"),
        ({"x": X, "y": Y.astype(float)}, "array 'y' has dtype float64, must be integers"),
        ({"x": X, "y": Y + 1}, "y has the labels 1, 2; must be 0..classes-1"),
        ({"x": X, "y": 2 * Y}, "y has the labels 0, 2; must be 0..classes-1"),
        ({"x": X, "y": Y[:3]}, r"y has shape (3,), must be (4,)"),
        (
            {"x": np.where(X == 5, np.nan, X), "y": Y},
            "1 points have NaN or infinite features, first in row 1",
        ),
        ({"x": X * 1e40, "y": Y}, "points have NaN or infinite features"),
        ({"x": np.array(1.0), "y": Y}, "array 'x' is a single value"),
        ({"x": X, "y": np.array(1)}, "array 'y' is a single value"),
        ({"x": X, "y": Y, "group": np.array("a")}, "array 'group' is a single value"),
        ({"x": np.zeros((0, 3)), "y": np.zeros(0, int)}, "x has shape (0, 3)"),
        ({"x": np.zeros(4, [("a", "f4")]), "y": Y}, "must be real numbers"),
        ({"x": X, "y": Y.astype("M8[s]")}, "must be integers"),
    ],
)
def test_faults_are_named(tmp_path, arrays, message):
    path = save(tmp_path, **arrays)
    text = load_error(path)
    assert message in text
    assert str(path) in text


def test_one_flipped_bit_in_a_shape_is_found(tmp_path):
    # "12" becomes "10": NumPy reads fewer bytes, all in the wrong rows, and never comes to the checksum.
    path = save(tmp_path, x=np.random.default_rng(0).normal(size=(300, 12)), y=np.arange(300) % 2)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(300, 12)", b"(300, 10)", 1))
    with np.load(path) as arrays:
        assert arrays["x"].shape == (300, 10)
    assert "array 'x' is damaged, its header says float64 (300, 10)" in load_error(path)


def test_missing_file(tmp_path):
    assert "no such file" in load_error(tmp_path / "none.npz")


def test_truncated_file(tmp_path):
    path = save(tmp_path, x=X, y=Y)
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged or truncated" in load_error(path)


def test_a_flipped_byte_is_an_error(tmp_path):
    path = save(tmp_path, x=np.zeros((4, 1000)), y=Y)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "damaged" in load_error(path)


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.mark.parametrize("inside_zip", [False, True])
def test_no_pickle_is_ever_loaded(tmp_path, inside_zip):
    path = tmp_path / "bomb.npz"
    if inside_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", pickle.dumps(Bomb()))
            archive.writestr("y.npy", pickle.dumps(Bomb()))
    else:
        path.write_bytes(pickle.dumps(Bomb()))
    assert str(path) in load_error(path)
    assert not Bomb.exploded
