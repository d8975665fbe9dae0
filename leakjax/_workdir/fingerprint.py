"""A digest of everything that decides a result: a stored one serves where nothing has changed, and only there."""

import dataclasses
import enum
import functools
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence, Set
from importlib import metadata
from pathlib import Path, PurePath
from typing import Any

import jax
import numpy as np

Update = Callable[[bytes | memoryview], None]

_LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "optax", "flax", "scikit-learn")
# What else decides the numbers that a jax program gives.
_SETTINGS = (
    "jax_default_matmul_precision",
    "jax_enable_x64",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_disable_most_optimizations",
)


def fingerprint(**parts: Any) -> str:
    """The digest of named parts.

    Args:
      **parts: arrays, keys, numbers, text, None, paths, enums, types, dataclasses, and sequences, sets and mappings
        of them. A function goes in as `leakjax._workdir.functions.traced` describes it.

    Returns:
      64 hexadecimal digits, equal where all parts are equal, names, types and shapes among it.

    Raises:
      TypeError: a part of another type, of which one could not say whether it is the same.
    """
    digest = hashlib.sha256()
    feed(digest.update, parts)
    return digest.hexdigest()


def feed(update: Update, value: Any) -> None:
    """Feeds a value to a digest: its kind, its length and its content, so that no two values read alike."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes() if not isinstance(
            value, enum.Enum
        ):
            of_kind(update, type(value).__name__, repr(value))
        case jax.Array() if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
            of_kind(update, "key", str(jax.random.key_impl(value)))
            feed(update, np.asarray(jax.random.key_data(value)))
        case np.ndarray() | np.generic() | jax.Array():
            _array(update, np.asarray(value))
        case enum.Enum():
            of_kind(update, "enum", f"{name_of(type(value))}.{value.name}")
        case type():
            of_kind(update, "type", name_of(value))
        case np.dtype():
            of_kind(update, "dtype", str(value))
        case PurePath():
            of_kind(update, "path", str(value))
        case Mapping():
            of_kind(update, "mapping", str(len(value)))
            for name in sorted(value, key=repr):
                feed(update, name)
                feed(update, value[name])
        case Set():
            of_kind(update, "set", str(len(value)))
            for each in sorted(fingerprint(item=item) for item in value):
                feed(update, each)
        case Sequence():  # lists and tuples alike, for JSON does not tell them apart
            kind = name_of(type(value)) if hasattr(value, "_fields") else "sequence"
            of_kind(update, kind, str(len(value)))
            for item in value:
                feed(update, item)
        case _ if dataclasses.is_dataclass(value):
            of_kind(update, "dataclass", name_of(type(value)))
            feed(update, {field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
        case _:
            raise TypeError(f"{name_of(type(value))}: cannot be part of a fingerprint")


def of_kind(update: Update, kind: str, text: str) -> None:
    """Feeds a text to a digest, its kind and its length before it."""
    content = text.encode("utf-8", "surrogatepass")
    update(f"{kind}:{len(content)}:".encode() + content)


def name_of(kind: Any) -> str:
    """The full name of a type or function."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _array(update: Update, array: np.ndarray) -> None:
    if array.dtype.hasobject:
        raise TypeError("an array of objects cannot be part of a fingerprint")
    of_kind(update, "array", f"{array.dtype} {array.shape}")
    update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


@functools.cache
def sources() -> str:
    """A digest of this package's own files: another version of the code serves no result of this one."""
    root = Path(__file__).parents[1]
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return fingerprint(files=[(path.relative_to(root).as_posix(), path.read_bytes()) for path in files])


def environment() -> dict[str, Any]:
    """What decides results beside their inputs: code, libraries, devices, precision."""
    devices = jax.local_devices()
    return {
        "sources": sources(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in devices],
        "settings": {name: str(getattr(jax.config, name, None)) for name in _SETTINGS},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
