"""Files that somebody names are read where they are files: a pipe or a device may never end."""

import errno
import json
from pathlib import Path
from typing import Any


def content(path: Path) -> bytes:
    """All bytes of a file, or of the one that a link leads to.

    Raises:
      OSError: it is not there, cannot be read, or is a folder, pipe or device.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "a folder, pipe or device and not a file", str(path))
    return path.read_bytes()


def json_of(path: Path) -> Any:
    """What a file in JSON holds.

    Raises:
      OSError: as `content`.
      ValueError: it is no JSON in UTF-8.
    """
    try:
        return json.loads(content(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("lists within lists without end") from None
