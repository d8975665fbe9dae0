"""Finished stages on disk, so that an interrupted audit goes on from them."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Store:
    """A folder with one .npz a stage; a file is there whole or not at all, and its checksums are verified."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Args: folder: made when the first stage is kept."""
        self._folder = Path(folder)

    def _path(self, name: str) -> Path:
        # Any text may name a stage: what a file name cannot hold is written as its code.
        safe = "".join(c if c.isalnum() or c in "-_.,=" else f"%{ord(c):x}" for c in name)
        return self._folder / f"{safe}.npz"

    def get(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays of a stage; None where it was not finished or its file is damaged, so that it is done again."""
        try:
            with np.load(self._path(name), allow_pickle=False) as arrays:
                return dict(arrays)
        except (FileNotFoundError, zipfile.BadZipFile, ValueError, EOFError):
            return None

    def put(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps the arrays of a finished stage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._path(name).with_suffix(f".{os.getpid()}.unfinished")
        with open(unfinished, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(unfinished, self._path(name))
