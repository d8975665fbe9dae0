"""Arrays of an .npz file where they lie: mapped into memory, so that only what is looked at is kept there."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from leakjax._validate import UsageError
from leakjax.data import archive

_HEADER = 30  # bytes of a local file header of a zip archive before the name
_CHUNK = 2**24


def mapped(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Maps every array of a file by `numpy.savez`, all bytes of it verified once; nothing is unpickled.

    Args:
      path: of the file.

    Returns:
      Read-only arrays by name.

    Raises:
      UsageError: no such file, not an .npz, one that is compressed or damaged, arrays of objects.
    """
    path = Path(path).expanduser()
    with archive.opened(path) as (_, members), path.open("rb") as file:
        return {archive.key_of(member): _array(path, member, file) for member in members}


def _array(path: Path, member: zipfile.ZipInfo, file: BinaryIO) -> np.ndarray:
    key = archive.key_of(member)
    if member.compress_type != zipfile.ZIP_STORED:
        rule = "is compressed, and cannot be read a part at a time; write it by numpy.savez"
        raise UsageError(f"{path}: array {key!r} {rule}")
    begin = _begin(path, key, member, file)
    shape, fortran, dtype = archive.header_of(path, key, file, member.file_size)
    if 0 in shape:
        return np.zeros(shape, dtype)
    offset = file.tell()
    _check_sum(path, key, member, file, begin)
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")


def _begin(path: Path, key: str, member: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the array's file begins, behind its own header, whose lengths may differ from the directory's."""
    file.seek(member.header_offset)
    header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(b"PK\3\4"):
        raise UsageError(f"{path}: array {key!r} is damaged, its header is no header of a zip")
    lengths = [int.from_bytes(header[at : at + 2], "little") for at in (26, 28)]
    return file.seek(member.header_offset + _HEADER + sum(lengths))


def _check_sum(path: Path, key: str, member: zipfile.ZipInfo, file: BinaryIO, begin: int) -> None:
    """Raises UsageError unless the bytes are those that were written; a mapped array has no other check."""
    file.seek(begin)
    left, found = member.file_size, 0
    while left and (part := file.read(min(left, _CHUNK))):
        found, left = zlib.crc32(part, found), left - len(part)
    if left or found != member.CRC:
        raise UsageError(f"{path}: array {key!r} is damaged, its checksum is wrong")
