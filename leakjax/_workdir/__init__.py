"""The work directory of a run: claimed by one process at a time, its finished stages kept and trusted.

    with claim(folder, config) as workdir:
        scores = workdir.stage("explain gradient", fingerprint(x=x, explainer=traced(explain, x[0])), compute)
        workdir.write("report.json", content)

A stage is there whole or not at all, is verified over all its bytes, and serves only under the fingerprint of
everything that decides it. Whatever else lies in its place is named and done again.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leakjax._validate import UsageError, fail
from leakjax._workdir import files, stages
from leakjax._workdir.claim import Claim
from leakjax._workdir.files import Say, mendable, quiet
from leakjax._workdir.stages import Value

__all__ = ["Store", "Workdir", "claim", "opened", "writer"]


class Workdir:
    """A claimed folder; made by `claim`.

    Attributes:
      path: of the folder.
      kept: names of the stages that are finished, in the order in which this run came by them.
    """

    def __init__(self, path: Path, held: Claim, writer: int, say: Say) -> None:
        self.path = path
        self.kept: list[str] = []
        self._held, self._writer, self._say = held, writer, say

    def stage(self, name: str, fingerprint: str, compute: Callable[[], Value]) -> Value:
        """The value of a stage: what was kept under this name and fingerprint, or computed now and kept.

        Args:
          name: of the stage, any text.
          fingerprint: of everything that decides the value.
          compute: makes it: arrays, numbers, text, None, in lists, tuples and dicts with str keys.

        Returns:
          The value; whether computed or read makes no difference to it.

        Raises:
          UsageError: the disk is full, or another host has taken the folder over.
        """
        address = stages.Address(self.path / "stages", name, fingerprint)
        try:
            value = stages.read(address)
        except FileNotFoundError:
            value = self._computed(address, compute)
        except stages.Damaged as damage:
            self._say(f"{address.path}: {damage}; {name} is done again")
            value = self._computed(address, compute)
        self.kept.append(name)
        return value

    def holds(self, name: str, fingerprint: str) -> bool:
        """Whether the file of a stage is there, which may still prove damaged."""
        return stages.Address(self.path / "stages", name, fingerprint).path.is_file()

    def _computed(self, address: stages.Address, compute: Callable[[], Value]) -> Value:
        value = compute()
        self._held.check()
        return stages.write(address, value, writer=self._writer, say=self._say)

    def write(self, name: str, content: bytes) -> Path:
        """Writes a file of the report, at once or not at all; returns its path.

        Args:
          name: its path below the folder.
          content: all of it.

        Raises:
          UsageError: as `stage`.
        """
        self._held.check()
        files.write(self.path / name, content, say=self._say)
        return self.path / name

    def log(self, *lines: Mapping[str, Any]) -> None:
        """Adds lines to metrics.jsonl, which nothing reads back."""
        files.append(self.path / "metrics.jsonl", map(json.dumps, lines), say=self._say)

    def check(self) -> None:
        """Raises UsageError where another host has taken the folder over; what writes by itself asks before."""
        self._held.check()

    def release(self) -> None:
        """Lets the next run in, before the block of `claim` ends."""
        self._held.release()


Store = str | os.PathLike[str] | Workdir | None  # where a study may keep its stages


@contextmanager
def claim(
    folder: str | Path,
    config: Mapping[str, Any] | None = None,
    *,
    process: int = 0,
    processes: int = 1,
    take_over: bool = False,
    say: Say = quiet,
) -> Iterator[Workdir]:
    """Claims a folder for one run, or for one process of a run of several.

    Args:
      folder: made if need be, then readable by its owner alone.
      config: what config.json records; it decides nothing, for each stage knows what it depends on.
      process: the index of this process.
      processes: how many there are; they share the folder if their config is the same.
      take_over: claim what a process of another host holds that was heard of within some minutes.
      say: told, in a line each, what was found damaged or in the way.

    Yields:
      The claimed folder.

    Raises:
      UsageError: it is in use, or cannot be written.
    """
    path = Path(folder).expanduser()
    text = json.dumps(dict(config or {}), indent=1, sort_keys=True) + "\n"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        run = hashlib.sha256(text.encode()).hexdigest()
        held = Claim(path, run=run, process=process, processes=processes, take_over=take_over, say=say)
    except OSError as error:
        raise fail("workdir", str(path), f"cannot be written ({error.strerror or error})") from None
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise fail("workdir", str(path), f"is no folder's name ({error})") from None
    try:
        with mendable(path):
            files.remove_leftovers(path, process if processes > 1 else None)
            files.make_folder(path / "stages", say=say)
            (path / "stages").chmod(0o700)
        workdir = Workdir(path, held, process, say)
        if config is not None:
            workdir.write("config.json", text.encode())
        yield workdir
    finally:
        held.release()


@contextmanager
def opened(store: Store, say: Say = quiet) -> Iterator[Workdir | None]:
    """What a caller gives as a store: nothing, a folder that is claimed for the block, or one claimed already."""
    if store is None or isinstance(store, Workdir):
        yield store
    else:
        with claim(os.fspath(store), say=say) as workdir:
            yield workdir


def writer(folder: str | os.PathLike[str] | Workdir) -> Callable[[str, bytes], Path]:
    """What writes the files of a report into a folder, claimed or not: (path below it, content) -> path."""
    if isinstance(folder, Workdir):
        return folder.write
    place = Path(folder).expanduser()

    def write(name: str, content: bytes) -> Path:
        files.write(place / name, content)
        return place / name

    return write
