"""The simplest kinds of values in a document: what each is in Python, in JSON and in words."""

import dataclasses
import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from leakjax._validate import UsageError

Definitions = dict[str, Any]


class Kind(Protocol):
    """What a value may be."""

    @property
    def words(self) -> str:
        """What it must be, in words."""

    def write(self, value: Any, path: str) -> Any:
        """The value in JSON. Raises UsageError, naming the `path`, unless it is of this kind."""

    def read(self, value: Any, path: str) -> Any:
        """The inverse of `write`. Raises UsageError, naming the `path`, unless it is of this kind."""

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """The JSON Schema of the kind; dataclasses are added to `definitions`."""


@dataclasses.dataclass(frozen=True)
class Plain:
    """A text, a whole number or a truth value."""

    type: type
    words: str
    json: str

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        return self.read(unboxed(value), path)

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        require(type(value) is self.type, value, path, self.words)
        return value

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": self.json}


@dataclasses.dataclass(frozen=True)
class Number:
    """A finite number, or null where nothing could be measured."""

    words: str = "a finite number or null"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        value = unboxed(value)
        require(type(value) in (int, float), value, path, self.words)
        return value if math.isfinite(value) else None

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        if value is None:
            return math.nan
        require(type(value) in (int, float) and math.isfinite(value), value, path, self.words)
        return value

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": ["number", "null"]}


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of a few texts."""

    allowed: tuple[str, ...]

    @property
    def words(self) -> str:
        """See `Kind`."""
        return f"one of {', '.join(self.allowed)}"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        return self.read(value, path)

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        require(type(value) is str and value in self.allowed, value, path, self.words)
        return value

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {"enum": list(self.allowed)}


@dataclasses.dataclass(frozen=True)
class Free:
    """Whatever JSON can say."""

    words: str = "anything that JSON can say"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        value = unboxed(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if value is None or isinstance(value, str | int):
            return value
        if isinstance(value, Mapping):
            return {str(name): self.write(item, f"{path}.{name}") for name, item in value.items()}
        if isinstance(value, Sequence):
            return [self.write(item, f"{path}[{index}]") for index, item in enumerate(value)]
        raise UsageError(f"{path}: a {type(value).__name__} has no form in JSON")

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        return self.write(value, path)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {}


def unboxed(value: Any) -> Any:
    """Arrays and numbers of numpy as those of Python."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def require(sound: bool, value: Any, path: str, words: str) -> None:
    """Raises UsageError, one line with path, value and rule, unless the value is sound."""
    if not sound:
        raise UsageError(f"{path}={reprlib.repr(value)}: must be {words}")
