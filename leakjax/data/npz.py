"""The user's own points, from an .npz file."""

import os
from pathlib import Path

import numpy as np

from leakjax._validate import UsageError
from leakjax.data import archive
from leakjax.data.points import Points, in_order


def load(path: str | os.PathLike[str]) -> Points:
    """Reads `x`, `y` and, if there, `group` and `features` from an .npz file; never unpickles.

    Features are used as they are, cast to float32: scale images to [0, 1] before saving them.

    Args:
      path: a file by `np.savez`: x real [points, ...], y integers [points] in which each of 0..classes-1
        occurs, group numbers or text [points], features text [features], the names of the features.

    Returns:
      The points; `group` becomes the only group column, under that name.

    Raises:
      UsageError: no such file, not an .npz, a damaged one or one too large, other keys, arrays of objects, arrays
        without axes, labels with gaps.
    """
    path = Path(path).expanduser()
    arrays = archive.read(path)
    if not {"x", "y"} <= arrays.keys() <= {"x", "y", "group", "features"}:
        raise UsageError(
            f"{path}: has the keys {', '.join(sorted(arrays))}; must have x, y and optionally group and features"
        )
    for key, array in arrays.items():
        if array.ndim == 0:
            raise UsageError(
                f"{path}: array {key!r} is a single value, must have one for each point or feature"
            )
    _check_dtype(path, "x", arrays["x"], "biuf", "real numbers")
    _check_dtype(path, "y", arrays["y"], "iu", "integers 0..classes-1")
    present = np.unique(arrays["y"])
    if not np.array_equal(present, np.arange(len(present))):
        listed = ", ".join(str(label) for label in present[:5]) + (", ..." if len(present) > 5 else "")
        raise UsageError(f"{path}: y has the labels {listed}; must be 0..classes-1, each of them present")
    groups = {}
    if "group" in arrays:
        _check_dtype(path, "group", arrays["group"], "biufU", "numbers or text")
        groups["group"] = arrays["group"].astype(str)
    names: list[str] = []
    if "features" in arrays:
        _check_dtype(path, "features", arrays["features"], "U", "text")
        names = arrays["features"].ravel().tolist()
    with np.errstate(over="ignore"):  # an overflow becomes an infinity, which validation names
        x = arrays["x"].astype(np.float32)
    return in_order(
        x, arrays["y"], classes=len(present), name=f"npz:{path}", groups=groups, feature_names=names
    )


def _check_dtype(path: Path, key: str, array: np.ndarray, kinds: str, allowed: str) -> None:
    if array.dtype.kind not in kinds:
        raise UsageError(f"{path}: array {key!r} has dtype {array.dtype}, must be {allowed}")
