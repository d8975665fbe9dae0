"""A data set by its name."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from leakjax import _validate
from leakjax.data import adult, cifar, digits, fashion_mnist, files, npz, synthetic
from leakjax.data.points import Points, deduplicate, take, validate

# Each takes the folder for prepared data and the folder of files given by hand (or None).
DATASETS: Mapping[str, Callable[[Path, Path | None], Points]] = MappingProxyType(
    {
        "digits": lambda data_dir, source_dir: digits.load(),
        "synthetic": lambda data_dir, source_dir: synthetic.load(),
        "adult": adult.load,
        "fashion_mnist": fashion_mnist.load,
        "cifar10": cifar.load_cifar10,
        "cifar100": cifar.load_cifar100,
    }
)


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
        name: one of `DATASETS`, `tfds:<name>` or `npz:<path>`.
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
    prefix, _, rest = name.partition(":")
    if prefix not in ("tfds", "npz") or not rest:
        _validate.one_of("dataset", name, [*DATASETS, "tfds:<name>", "npz:<path>"])
    if points is not None:
        _validate.at_least("points", points, 1)
    options = {"features": features, "classes": classes, "seed": seed}
    given = {key: value for key, value in options.items() if value is not None}
    if name == "synthetic":
        return deduplicate(validate(synthetic.load(points=points or 20_000, **given), name))
    for key, value in given.items():
        raise _validate.fail(key, value, f"is an option of the synthetic data set alone, not of {name}")

    data_dir = Path(data_dir).expanduser() if data_dir else files.default_data_dir()
    source_dir = Path(source_dir).expanduser() if source_dir else None
    if source_dir and not source_dir.is_dir():
        raise _validate.fail("source_dir", str(source_dir), "is not a folder")
    if prefix == "npz":
        loaded = npz.load(rest)
    elif prefix == "tfds":
        from leakjax.data import from_tfds  # imported here: slow, and the embedded sets do without

        loaded = from_tfds.load(rest, data_dir)
    else:
        loaded = DATASETS[name](data_dir, source_dir)
    loaded = deduplicate(validate(loaded, name))
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
