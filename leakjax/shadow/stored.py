"""A tree of arrays on disk: there whole and unchanged, or named as damaged."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from orbax import checkpoint as orbax

from leakjax._validate import UsageError
from leakjax._workdir import reading

PyTree = Any
_ARRAYS, _MANIFEST = "arrays", "manifest.json"
# What tensorstore, which writes for orbax, says where a file system refuses; it raises ValueError.
_REFUSALS = (
    "no space",
    "permission",
    "read-only",
    "file too large",
    "quota",
    "resource_exhausted",
    "os error",
)


class Damaged(UsageError):
    """Files that are not those that were written; the message names one."""


def write(path: str | Path, tree: PyTree, about: Mapping[str, Any]) -> None:
    """Writes a tree as a directory that appears all at once, when everything is on disk.

    Args:
      path: of the directory; what is there already is replaced.
      tree: arrays in host memory, in dicts with str keys and in lists.
      about: what is said of them, as JSON can write it.

    Raises:
      UsageError: the disk is full or cannot be written; what was there before stays.
    """
    path = Path(path).absolute()
    unfinished, replaced = (path.with_name(f".{path.name}.{what}") for what in ("unfinished", "replaced"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for remains in (unfinished, replaced):  # of a killed run
            shutil.rmtree(remains, ignore_errors=True)
        unfinished.mkdir(mode=0o700)  # it says who was trained on what
        _checkpointer().save(unfinished / _ARRAYS, args=orbax.args.StandardSave(tree))
        manifest: dict[str, Any] = {"about": about, "sha256": _digests(unfinished / _ARRAYS)}
        manifest["own"] = _own(manifest)
        with (unfinished / _MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            os.replace(path, replaced)
        os.replace(unfinished, path)
        shutil.rmtree(replaced, ignore_errors=True)
    except (OSError, ValueError) as error:
        text = " ".join(str(error).split())
        if isinstance(error, ValueError) and not any(word in text.lower() for word in _REFUSALS):
            raise
        shutil.rmtree(unfinished, ignore_errors=True)
        reason = getattr(error, "strerror", None) or text[:200]
        raise UsageError(f"{path}: cannot be written ({reason}); what was finished before is whole") from None


def exists(path: str | Path) -> bool:
    """Whether a tree was written at `path` to its end."""
    return (Path(path) / _MANIFEST).is_file()


def about(path: str | Path) -> dict[str, Any]:
    """What was said of a tree; the arrays' files are not looked at.

    Raises:
      Damaged: the manifest is.
    """
    return _manifest(Path(path))[0]


def verify(path: str | Path) -> None:
    """Compares the sha256 of every file with the one that was written.

    Raises:
      Damaged: the first file that is missing, added or changed.
    """
    path = Path(path)
    _, wanted = _manifest(path)
    found = _digests(path / _ARRAYS)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise Damaged(f"{path / _ARRAYS / name}: damaged, its sha256 is not the one saved")


def read(path: str | Path) -> PyTree:
    """The tree that `write` wrote, every byte checked; orbax alone would load a flipped bit.

    Args:
      path: of the directory.

    Returns:
      The tree, NumPy arrays in dicts and lists.

    Raises:
      Damaged: a file is missing or changed.
    """
    path = Path(path).absolute()
    verify(path)
    return _checkpointer().restore(path / _ARRAYS, args=orbax.args.StandardRestore())


def _manifest(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        manifest = reading.json_of(path / _MANIFEST)
        if manifest.pop("own") != _own(manifest):
            raise ValueError
        return dict(manifest["about"]), dict(manifest["sha256"])
    except (AttributeError, OSError, ValueError, KeyError, TypeError):
        raise Damaged(f"{path / _MANIFEST}: damaged or missing") from None


def _own(manifest: Mapping[str, Any]) -> str:
    """The manifest's sha256 of itself: a digit of an id that flips must not pass for another id."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digests(directory: Path) -> dict[str, str]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checkpointer() -> orbax.Checkpointer:
    # The synchronous one, without a manager: the directory's own rename decides what is a checkpoint. By default
    # it is collective: in a run of many processes, one that saves alone would wait for the others, or write nothing.
    process = jax.process_index()
    alone = orbax.options.MultiprocessingOptions(
        primary_host=process, active_processes={process}, barrier_sync_key_prefix=f"leakjax-{process}"
    )
    handler = orbax.StandardCheckpointHandler(multiprocessing_options=alone)
    return orbax.Checkpointer(handler, multiprocessing_options=alone)
