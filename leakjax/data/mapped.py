"""Arrays of an .npz file where they lie: mapped into memory, so that only what is looked at is read."""

import os
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from leakjax._validate import UsageError

_HEADER = 30  # bytes of a local file header of a zip archive before the name


def mapped(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Maps every array of a file by `numpy.savez`; nothing is unpickled.

    Args:
      path: of the file.

    Returns:
      Read-only arrays by name.

    Raises:
      UsageError: no such file, not an .npz, one that is compressed, arrays of objects.
    """
    path = Path(path).expanduser()
    name = ""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            arrays = {}
            for entry in archive.infolist():
                name = entry.filename.removesuffix(".npy")
                if entry.compress_type != zipfile.ZIP_STORED:
                    rule = "is compressed, and cannot be read a part at a time; write it by numpy.savez"
                    raise UsageError(f"{path}: array {name!r} {rule}")
                file.seek(entry.header_offset)
                header = file.read(_HEADER)
                lengths = [int.from_bytes(header[at : at + 2], "little") for at in (26, 28)]
                file.seek(entry.header_offset + _HEADER + sum(lengths))
                arrays[name] = _array(path, name, file)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; save one with np.savez(path, member=..., ...)") from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: not a readable .npz file, damaged or truncated ({error})") from None
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path}: array {name!r} is damaged ({error})") from None
    return arrays


def _array(path: Path, name: str, file: BinaryIO) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise UsageError(f"{path}: array {name!r} holds objects, which are never loaded")
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(
        path, dtype=dtype, mode="r", offset=file.tell(), shape=shape, order="F" if fortran else "C"
    )
