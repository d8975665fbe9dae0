"""Original files of data sets: found in a folder or downloaded, and verified before they are used."""

import gzip
import hashlib
import http.client
import io
import os
import shutil
import tempfile
import urllib.request
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from leakjax._validate import UsageError


class Original(NamedTuple):
    """A file as its publisher made it, before any gzip around it, which differs from mirror to mirror.

    Attributes:
      name: its file name.
      url: where it is published, under its name or gzipped under its name and `.gz`.
      size: its length in bytes.
      sha256: the digest of its content, in hexadecimal.
    """

    name: str
    url: str
    size: int
    sha256: str


def content(original: Original, folders: Iterable[Path], download_dir: Path) -> bytes:
    """The verified content of a file, which may lie gzipped.

    Args:
      original: the file.
      folders: where to look for it, in this order.
      download_dir: where to look last, and where a download is kept.

    Returns:
      Its bytes, unpacked.

    Raises:
      UsageError: the file is truncated, has another checksum, or is nowhere and cannot be downloaded.
    """
    folders = [*folders, download_dir]
    for path in (folder / name for folder in folders for name in (original.name, f"{original.name}.gz")):
        if path.is_file():
            return _verified(original, path.read_bytes(), path)
    looked = " or ".join(str(folder) for folder in folders)
    try:
        return _download(original, download_dir)
    except (OSError, http.client.HTTPException) as error:  # urllib's errors and timeouts are OSErrors
        raise UsageError(
            f"{original.name}: not in {looked}, and {original.url} cannot be downloaded ({error}); "
            f"put the file into {download_dir} by hand"
        ) from None


def _download(original: Original, folder: Path) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / original.url.rpartition("/")[2]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        partial = Path(temporary) / path.name
        with urllib.request.urlopen(original.url, timeout=30) as response, partial.open("wb") as file:
            shutil.copyfileobj(response, file)
        found = _verified(original, partial.read_bytes(), original.url)
        os.replace(partial, path)
    return found


def _verified(original: Original, found: bytes, where: Path | str) -> bytes:
    if str(where).endswith(f"{original.name}.gz"):
        try:
            with gzip.open(io.BytesIO(found)) as file:
                found = file.read(original.size + 1)  # and no more, whatever else it unpacks to
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"{where}: truncated or damaged gzip file ({error})") from None
    if len(found) < original.size:
        raise UsageError(f"{where}: truncated, has {len(found)} of {original.size} bytes of {original.name}")
    digest = hashlib.sha256(found).hexdigest()
    if digest != original.sha256:
        raise UsageError(f"{where}: wrong checksum, expected sha256 {original.sha256} but got {digest}")
    return found
