"""Files that are whole or not there, their owner's alone; and what to do where something else lies in their place."""

import io
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from leakjax._validate import UsageError

Say = Callable[[str], None]
# What a run writes says who was trained on what: it is its owner's alone.
_OWN_FILE, _OWN_FOLDER = 0o600, 0o700
UNFINISHED = ".unfinished"
_FOLDERS = ("stages", "checkpoints", "figures", "tables")  # where a run leaves files, beside the top


def quiet(text: str) -> None:
    """A `Say` that says nothing."""


def write(path: Path, content: bytes, *, say: Say = quiet) -> None:
    """Writes a file that holds either its old or its new content, whenever the process is stopped.

    Args:
      path: of the file; its folder is made.
      content: all of it.
      say: told where something else had to be moved out of the way.

    Raises:
      UsageError: it cannot be written, the disk being full for one.
    """
    with replacing(path, say=say) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, say: Say = quiet, writer: int = 0) -> Iterator[io.BufferedRandom]:
    """A file to write that takes the place of `path` when the block ends, and goes when the block fails.

    Args:
      path: as in `write`.
      say: as in `write`.
      writer: the index of this process among those that share the folder.

    Yields:
      The file, open for reading and writing.

    Raises:
      UsageError: as `write`.
    """
    unfinished = path.with_name(f".{path.name}.{writer}{UNFINISHED}")
    with mendable(path):
        make_folder(path.parent, say=say)
        if path.is_dir() and not path.is_symlink():
            set_aside(path, say)
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        unfinished.unlink(missing_ok=True)
        try:
            with open(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWN_FILE), "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


def append(path: Path, lines: Iterable[str], *, say: Say = quiet) -> None:
    """Adds lines to a log.

    Raises:
      UsageError: as `write`.
    """
    with mendable(path):
        if path.exists() and not path.is_file():
            set_aside(path, say)
        with open(
            path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, _OWN_FILE)
        ) as file:
            file.write("".join(f"{line}\n" for line in lines))


@contextmanager
def mendable(path: Path) -> Iterator[None]:
    """Turns an OSError into a UsageError of one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}); what is finished stays: mend that and run "
            "the same command again"
        ) from error


def make_folder(folder: Path, *, say: Say = quiet) -> None:
    """Makes a folder; what is no folder but lies in its place is set aside."""
    if os.path.lexists(folder) and not folder.is_dir():
        set_aside(folder, say)
    folder.mkdir(parents=True, exist_ok=True, mode=_OWN_FOLDER)


def set_aside(path: Path, say: Say) -> None:
    """Renames what lies where it does not belong; nothing that we did not write is deleted."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.aside-{number}")):
        number += 1
    path.rename(aside)
    say(f"{path}: something else lay in its place, now {aside.name}")


def is_regular(path: Path) -> bool:
    """Whether a file of data is there: not a folder, pipe, device or link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def remove_leftovers(workdir: Path, writer: int | None = None) -> None:
    """Removes the files that a killed run left unfinished.

    Args:
      workdir: of the run.
      writer: the process index whose files go; those of all when None.
    """
    ends = UNFINISHED if writer is None else f".{writer}{UNFINISHED}"
    for folder, below in ((workdir, False), *((workdir / name, True) for name in _FOLDERS)):
        if folder.is_dir():
            for path in list(folder.rglob(f".*{ends}") if below else folder.glob(f".*{ends}")):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
