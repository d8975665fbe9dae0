"""The arrays of an .npz file that nobody vouches for: every size is compared before anything is allocated."""

import math
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import psutil

from leakjax._validate import UsageError

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what np.savez and np.savez_compressed write
_MOST_DEFLATED = 1032  # bytes that a byte of deflate can stand for
_MOST_HEADER = 2**16
_END = 22  # bytes of a zip's last record, where no comment follows
# So much, unpacked from so few bytes, is a trap and not a data set.
_BOMB_BYTES, _BOMB_RATIO = 2**28, 200
_CHUNK = 2**24


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an .npz file, every byte of them verified; never unpickles.

    Args:
      path: of the file.

    Returns:
      Key -> array.

    Raises:
      UsageError: it is no such file, is damaged, or does not fit into the memory at hand; one line.
    """
    with opened(path) as (archive, members):
        _check_room(path, members)
        return {key_of(member): _array(path, archive, member) for member in members}


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """An .npz file and its members, whose sizes and names agree with the file; what is read of them is damaged or not.

    Args:
      path: of the file.

    Yields:
      The archive and its members.

    Raises:
      UsageError: it is no such file, or what is raised inside on damaged bytes; one line.
    """
    _check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_count(path, len(members))
            _check_members(path, members)
            yield archive, members
    except UsageError:
        raise
    except MemoryError:
        raise UsageError(f"{path}: its arrays do not fit into memory") from None
    # What zipfile and zlib raise on damaged bytes; NotImplementedError stands for what no .npz contains.
    except (
        OSError,
        EOFError,
        ValueError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: not a readable .npz file, damaged or truncated ({reason})") from None


def _check_regular(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; save one with np.savez(path, x=..., y=...)") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from None
    if not stat.S_ISREG(mode):  # reading a pipe or a device may never end
        raise UsageError(f"{path}: is a folder, pipe or device; must be an .npz file")


def _check_count(path: Path, count: int) -> None:
    """zipfile takes the members that it comes by; one whose neighbour hides it is missing without a word."""
    with path.open("rb") as file:
        file.seek(-_END, os.SEEK_END)
        last = file.read(_END)
    told = struct.unpack_from("<H", last, 10)[0]
    if last.startswith(b"PK\5\6") and told not in (count, 0xFFFF):
        raise UsageError(f"{path}: damaged, its directory holds {count} of {told} arrays")


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    size = path.stat().st_size
    for member in members:
        if member.flag_bits & 1:
            raise UsageError(f"{path}: array {key_of(member)!r} is encrypted; save the file with np.savez")
        if member.compress_type not in _COMPRESSIONS:
            raise UsageError(
                f"{path}: array {key_of(member)!r} is compressed by method {member.compress_type} of zip; save the "
                "file with np.savez_compressed"
            )
        most = member.compress_size * (_MOST_DEFLATED if member.compress_type == zipfile.ZIP_DEFLATED else 1)
        if member.compress_size > size or member.file_size > most:
            raise UsageError(
                f"{path}: array {key_of(member)!r} is damaged, it claims {member.file_size} bytes from "
                f"{member.compress_size} in a file of {size}"
            )
    keys = [key_of(member) for member in members]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"{path}: damaged, has array {key!r} twice")


def _check_room(path: Path, members: list[zipfile.ZipInfo]) -> None:
    size, room = path.stat().st_size, psutil.virtual_memory().available
    total = sum(member.file_size for member in members)
    if total > _BOMB_BYTES and total > _BOMB_RATIO * size:
        raise UsageError(
            f"{path}: {size} bytes unpack to {total / 2**30:.1f} GiB; if that is meant, save the file with np.savez"
        )
    if total > room:
        raise UsageError(
            f"{path}: its arrays take {total / 2**30:.1f} GiB, more than the {room / 2**30:.1f} GiB of memory at hand"
        )


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    key = key_of(member)
    with archive.open(member) as file:
        shape, fortran, dtype = header_of(path, key, file, member.file_size)
        wanted = math.prod(shape) * dtype.itemsize
        content = np.empty(wanted, np.uint8)
        filled = 0
        while part := file.read(_CHUNK):  # to the end, where zipfile compares the checksum
            content[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
            filled += len(part)
        if filled != wanted:
            raise UsageError(f"{path}: array {key!r} is truncated")
    array = content.view(dtype) if wanted else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def header_of(path: Path, key: str, file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads the header of an array, which says exactly as many bytes as follow.

    Args:
      path: of the archive, for errors.
      key: of the array, for errors.
      file: at the array's first byte; afterwards at the first behind the header.
      size: of header and array, in bytes.

    Returns:
      The shape, whether it is in Fortran's order, and the dtype.

    Raises:
      UsageError: it is damaged, says another size, or holds objects.
    """
    begin = file.tell()
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(file, max_header_size=_MOST_HEADER)
        elif version == (2, 0):
            header = np.lib.format.read_array_header_2_0(file, max_header_size=_MOST_HEADER)
        else:
            raise ValueError(f"version {version} of NumPy's format")
        shape, fortran, dtype = header
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: array {key!r} is damaged or not in NumPy's format ({reason})") from None
    if dtype.hasobject:
        raise UsageError(f"{path}: array {key!r} holds objects, which are never loaded")
    # NumPy reads as much as the shape says and leaves the rest, with the checksum, unread.
    wanted, there = math.prod(shape) * dtype.itemsize, size - (file.tell() - begin)
    if min(shape, default=0) < 0 or wanted != there:
        raise UsageError(
            f"{path}: array {key!r} is damaged, its header says {dtype} {shape}, {wanted} bytes, but {there} follow"
        )
    return shape, fortran, dtype


def key_of(member: zipfile.ZipInfo) -> str:
    """The name of a member's array."""
    return member.filename.removesuffix(".npy")
