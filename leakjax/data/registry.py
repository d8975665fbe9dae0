"""A data set by its name."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from leakjax import _validate
from leakjax.data import adult, cifar, digits, fashion_mnist, npz, synthetic
from leakjax.data.points import Points, deduplicate, take

# These are prepared from original files: each takes the folder for prepared data and the folder of files
# given by hand, or None.
_FROM_FILES: dict[str, Callable[[Path, Path | None], Points]] = {
    "adult": adult.load,
    "fashion_mnist": fashion_mnist.load,
    "cifar10": cifar.load_cifar10,
    "cifar100": cifar.load_cifar100,
}
DATASETS = ("digits", "synthetic", *_FROM_FILES, "tfds:<name>", "npz:<path>")


def default_data_dir() -> Path:
    """Where prepared data go by default: $LEAKJAX_DATA_DIR, $XDG_CACHE_HOME/leakjax or ~/.cache/leakjax."""
    if given := os.environ.get("LEAKJAX_DATA_DIR"):
        return Path(given).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "leakjax"


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    source_dir: str | os.PathLike[str] | None = None,
    points: int | None = None,
    features: int | None = None,
    classes: int | None = None,
    seed: int | None = None,
) -> Points:
    """Loads a data set: validated, without exact duplicates, as float32.

    Args:
        name: one of `DATASETS`.
        data_dir: where data are prepared once and read from later; `default_data_dir()` if None.
        source_dir: a folder that holds the original files of a set, looked into before anything is
            downloaded.
        points: how many points to return. Of `synthetic` so many are drawn. Of the others a random subset is
            kept in the order of the source: always the same one for one number, and part of the subset of any
            larger number.
        features: how many features; of `synthetic` alone, as are the following.
        classes: how many classes.
        seed: of the draw.

    Returns:
        The points.

    Raises:
        UsageError: an unknown name, an option out of its range, a file that is missing or damaged, points
            that cannot be audited.
    """
    kind, _, rest = name.partition(":")
    if not (kind in ("tfds", "npz") and rest):
        _validate.one_of("dataset", name, DATASETS)
    if points is not None:
        _validate.at_least("points", points, 1)
    options = {"points": points, "features": features, "classes": classes, "seed": seed}
    given = {key: value for key, value in options.items() if value is not None}
    if kind == "synthetic":
        return deduplicate(synthetic.load(**given))
    for key in [key for key in given if key != "points"]:
        raise _validate.fail(key, given[key], f"is an option of the synthetic data set alone, not of {name}")

    data_dir = Path(data_dir).expanduser() if data_dir else default_data_dir()
    source_dir = Path(source_dir).expanduser() if source_dir else None
    if source_dir and not source_dir.is_dir():
        raise _validate.fail("source_dir", str(source_dir), "is not a folder")
    match kind:
        case "digits":
            loaded = digits.load()
        case "npz":
            loaded = npz.load(rest)
        case "tfds":
            from leakjax.data import from_tfds  # imported here: slow, and the embedded sets do without

            loaded = from_tfds.load(rest, data_dir)
        case _:
            loaded = _FROM_FILES[name](data_dir, source_dir)
    loaded = deduplicate(loaded)
    return _as_float(loaded if points is None else _subset(loaded, points))


def _subset(points: Points, count: int) -> Points:
    if count > len(points.x):
        raise _validate.fail("points", count, f"{points.name} has only {len(points.x)} distinct points")
    # RandomState, not Generator: NumPy promises that its streams never change.
    return take(points, np.sort(np.random.RandomState(0).permutation(len(points.x))[:count]))


def _as_float(points: Points) -> Points:
    # Unsigned integers are images, scaled to [0, 1] last so that a large set exists in float32 only in part.
    x = points.x
    if x.dtype.kind == "u":
        x = np.divide(x, np.iinfo(x.dtype).max, dtype=np.float32)
    return points._replace(x=x.astype(np.float32, copy=False))
