"""A data set by its name, with options: synthetic(points=2000, features=20), csv:<path>, npz:<path>, tfds:<name>."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from leakjax import _spec, _validate
from leakjax.data.points import Points, deduplicate, take

_WHAT = "dataset"
# What `load` passes to a loader that names it, and text may not.
_GIVEN = ("data_dir", "source_dir")
# Of every data set: how many of its points are kept.
_POINTS = "points"
_PREFIXES = ("tfds", "npz", "csv", "parquet")
# What others call our data sets, for hints alone.
_ALIASES = {
    "census": "adult",
    "cifar": "cifar10",
    "fashion": "fashion_mnist",
    "makeclassification": "synthetic",
}

DATASETS: _spec.Registry[Callable[..., Points]] = _spec.Registry(_WHAT, _ALIASES)

Loader = TypeVar("Loader", bound=Callable[..., Points])


def registered(name: str) -> Callable[[Loader], Loader]:
    """Registers the loader below it under a name, and gives it back as it is.

    Its options are keyword arguments; it gets `data_dir`, the folder for prepared data, and `source_dir`, the folder
    of files given by hand or None, where it names them.
    """

    def register(loader: Loader) -> Loader:
        DATASETS.add(name, loader)
        return loader

    return register


def names() -> list[str]:
    """What `load` takes."""
    return [*DATASETS, *(f"{prefix}:<{'name' if prefix == 'tfds' else 'path'}>" for prefix in _PREFIXES)]


def describe() -> list[str]:
    """Every data set with its options and their defaults, as --help lists them."""
    listed = [
        _spec.describe(name, loader, given=_GIVEN, also=() if _draws(loader) else (_POINTS,))
        for name, loader in DATASETS.items()
    ]
    return [*listed, *names()[len(DATASETS) :]]


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
    label: str | None = None,
) -> Points:
    """Loads a data set: validated, without exact duplicates, as float32.

    Args:
      name: one of `DATASETS`, with options if wanted, as in "synthetic(features=20)"; "csv:<path>",
        "parquet:<path>", "npz:<path>"; "tfds:<name>"; or a user's own loader, "package.module:name(...)".
      data_dir: where data are prepared once and read from later; `default_data_dir()` if None.
      source_dir: a folder that holds the original files of a set, looked into before anything is
        downloaded.
      points: how many points to return. Of `synthetic` so many are drawn. Of the others a random subset is
        kept in the order of the source: always the same one for one number, and part of the subset of any
        larger number.
      features: as the option of the data set, like the following; of `synthetic` alone.
      classes: how many classes.
      seed: of the draw.
      label: the column to be predicted; of tables, where it must be given, and of `adult`.

    Returns:
      The points.

    Raises:
      UsageError: an unknown name, an option out of its range, a file that is missing or damaged, points
        that cannot be audited.
    """
    flags = {"points": points, "features": features, "classes": classes, "seed": seed, "label": label}
    given: dict[str, Any] = {option: value for option, value in flags.items() if value is not None}
    places = {
        "data_dir": Path(data_dir).expanduser() if data_dir else default_data_dir(),
        "source_dir": Path(source_dir).expanduser() if source_dir else None,
    }
    if places["source_dir"] and not places["source_dir"].is_dir():
        raise _validate.fail("source_dir", str(source_dir), "is not a folder")
    if not isinstance(name, str):
        raise _validate.fail(_WHAT, type(name).__name__, "must be a text, as 'digits' or 'npz:points.npz'")
    loader, options = _find(name, given)
    kept = None if _draws(loader) else options.pop(_POINTS, None)
    if kept is not None:
        _validate.at_least("points", kept, 1)
    takes = _spec.parameters(loader)
    loaded = loader(**options, **{place: path for place, path in places.items() if place in takes})
    if not isinstance(loaded, Points):
        raise _validate.fail(_WHAT, name, f"must return Points, not a {type(loaded).__name__}")
    loaded = deduplicate(loaded)
    return _as_float(loaded if kept is None else _subset(loaded, kept))


def _find(name: str, given: dict[str, Any]) -> tuple[Callable[..., Points], dict[str, Any]]:
    """The loader that a name means, and its options."""
    kind, _, rest = name.partition(":")
    if kind in _PREFIXES:
        if not rest:
            _validate.one_of(_WHAT, name, names())
        loader = _of_file(kind, rest)
        call = _spec.Call(kind, (), given)
    else:
        call = _spec.read(_WHAT, name).also(_WHAT, given)
        loader = DATASETS.find(call.name, names()[len(DATASETS) :])
    also = () if _draws(loader) else (_POINTS,)
    return loader, _spec.bind(_WHAT, call, loader, given=_GIVEN, also=also)


def _of_file(kind: str, rest: str) -> Callable[..., Points]:
    # Imported when asked for: tensorflow_datasets is slow, and the embedded sets do without.
    if kind == "tfds":

        def load_tfds(data_dir: Path) -> Points:
            from leakjax.data import from_tfds

            return from_tfds.load(rest, data_dir)

        return load_tfds

    if kind == "npz":
        from leakjax.data import npz

        def load_npz() -> Points:
            return npz.load(rest)

        return load_npz

    from leakjax.data import csv_file, parquet_file

    read = csv_file.load if kind == "csv" else parquet_file.load

    def load_table(label: str | None = None) -> Points:
        return read(rest, label=label)

    return load_table


def _draws(loader: Callable[..., Points]) -> bool:
    """Whether a loader makes as many points as it is told, so that none need be left out."""
    return _POINTS in _spec.parameters(loader)


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
