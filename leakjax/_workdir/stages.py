"""Finished stages: values on disk, each under the fingerprint of everything that decides it.

A file is one line with a checksum of all bytes after it, one line of JSON (whose stage it is, and the value with a
number in place of each array), and the arrays' bytes. A file that is not exactly that is damaged.
"""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leakjax._workdir import files

Value = Any  # None, bool, int, float, str, arrays and NumPy scalars, in lists, tuples and dicts with str keys

_MAGIC = b"leakjax stage 1 "
_FIRST_LINE = len(_MAGIC) + 64 + 1
_KEPT = 4  # of one name: those of flags tried before, so that going back costs nothing


class Damaged(Exception):
    """A stage's file cannot be used; the message says why."""


class Address(NamedTuple):
    """Where a stage of a name and a fingerprint lies in a folder."""

    folder: Path
    name: str
    fingerprint: str

    @property
    def path(self) -> Path:
        """Of the file: names of any length and with any characters have one."""
        return self.folder / f"{self._prefix}.{_short(self.fingerprint)}.stage"

    @property
    def _prefix(self) -> str:
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_=") else "_" for c in self.name)
        return f"{safe[:60]}.{_short(self.name)}"

    def of_name(self) -> list[Path]:
        """The files of this name under any fingerprint, the one used last first."""
        found = [path for path in self.folder.glob(f"{self._prefix}.*.stage") if files.is_regular(path)]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def read(address: Address) -> Value:
    """The value of a stage.

    Raises:
      FileNotFoundError: it was not finished.
      Damaged: its file is.
    """
    path = address.path
    if not os.path.lexists(path):
        raise FileNotFoundError(path)
    if not files.is_regular(path):
        raise Damaged("is not a file")
    try:
        with path.open("rb") as file:
            value = _read(file, address)
        os.utime(path)
    except OSError as error:
        raise Damaged(f"cannot be read, {error.strerror or error}") from None
    return value


def write(address: Address, value: Value, *, writer: int, say: files.Say) -> Value:
    """Keeps the value of a finished stage, and lets go of those of its name that were not used for long.

    Returns:
      The value as `read` will return it.

    Raises:
      UsageError: it cannot be written.
      TypeError: it is no `Value`.
    """
    arrays: list[np.ndarray] = []
    form = _form(value, arrays)
    described = {
        "name": address.name,
        "fingerprint": address.fingerprint,
        "value": form,
        "arrays": [[array.dtype.str, array.shape] for array in arrays],
    }
    with files.replacing(address.path, say=say, writer=writer) as file:
        file.write(b"\0" * _FIRST_LINE)
        file.write(json.dumps(described).encode() + b"\n")
        for array in arrays:
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        file.seek(_FIRST_LINE)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(_MAGIC + digest.encode() + b"\n")
    for path in address.of_name()[_KEPT:]:
        path.unlink(missing_ok=True)
    return _value(form, arrays)


def _read(file: io.BufferedIOBase, address: Address) -> Value:
    first = file.read(_FIRST_LINE)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if first != _MAGIC + digest.encode() + b"\n":
        raise Damaged("is damaged, its checksum is wrong")
    file.seek(_FIRST_LINE)
    described = json.loads(file.readline())
    if (described["name"], described["fingerprint"]) != (address.name, address.fingerprint):
        raise Damaged(f"holds another stage, {described['name']!r}")
    arrays = []
    for dtype, shape in described["arrays"]:
        array = np.empty(shape, np.dtype(dtype))
        file.readinto(array.reshape(-1).view(np.uint8).data)
        arrays.append(array)
    return _value(described["value"], arrays)


def _form(value: Value, arrays: list[np.ndarray]) -> Any:
    """The value as JSON: scalars as they are, all else as [kind, content]."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple):
        return [type(value).__name__, [_form(item, arrays) for item in value]]
    if type(value) is dict:
        if not all(type(name) is str for name in value):
            raise TypeError("a stage's dicts have str keys alone")
        return ["dict", {name: _form(item, arrays) for name, item in value.items()}]
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind not in "biufcUSV" or array.dtype.hasobject:
            raise TypeError(f"a stage keeps no arrays of {array.dtype}")
        arrays.append(array)
        return ["scalar" if isinstance(value, np.generic) else "array", len(arrays) - 1]
    raise TypeError(f"a stage keeps no {type(value).__name__}")


def _value(form: Any, arrays: list[np.ndarray]) -> Value:
    if not isinstance(form, list):
        return form
    kind, content = form
    match kind:
        case "list":
            return [_value(item, arrays) for item in content]
        case "tuple":
            return tuple(_value(item, arrays) for item in content)
        case "dict":
            return {name: _value(item, arrays) for name, item in content.items()}
        case "scalar":
            return arrays[content][()]
        case _:
            return arrays[content]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
