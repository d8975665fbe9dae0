"""The kinds of values that documents hold: each is written, read and described in one place.

A kind is made from an ordinary type hint: `str`, `int`, `bool`, `float` (a finite number, or null for "could not
be measured", which is NaN in Python), `Literal` of texts, `X | None`, `Sequence[X]`, `Mapping[str, X]` (any names),
`Mapping[Literal[...], X]` (exactly these names), `Any` (whatever JSON can say), and a frozen dataclass of
`described` fields.
"""

import collections.abc
import dataclasses
import functools
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from leakjax._validate import UsageError
from leakjax.evaluate.document.fields import fields_of, summary_of
from leakjax.evaluate.document.values import Choice, Definitions, Free, Kind, Number, Plain, require, unboxed


@dataclasses.dataclass(frozen=True)
class Maybe:
    """A value of a kind, or null."""

    kind: Kind

    @property
    def words(self) -> str:
        """See `Kind`."""
        return f"{self.kind.words}, or null"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        return None if value is None else self.kind.write(value, path)

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        return None if value is None else self.kind.read(value, path)

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {"anyOf": [self.kind.schema(definitions), {"type": "null"}]}


@dataclasses.dataclass(frozen=True)
class Listed:
    """A list of values of one kind."""

    kind: Kind

    @property
    def words(self) -> str:
        """See `Kind`."""
        return f"a list of {self.kind.words}"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        value = unboxed(value)
        require(isinstance(value, Sequence) and not isinstance(value, str), value, path, "a list")
        return [self.kind.write(item, f"{path}[{index}]") for index, item in enumerate(value)]

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        require(isinstance(value, list), value, path, "a list")
        return tuple(self.kind.read(item, f"{path}[{index}]") for index, item in enumerate(value))

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        return {"type": "array", "items": self.kind.schema(definitions)}


@dataclasses.dataclass(frozen=True)
class Named:
    """An object of values of one kind, under any names, or under exactly these."""

    kind: Kind
    names: tuple[str, ...] | None

    @property
    def words(self) -> str:
        """See `Kind`."""
        names = "" if self.names is None else f" under {', '.join(self.names)}"
        return f"an object of {self.kind.words}{names}"

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        self._check(value, path)
        return {name: self.kind.write(item, f"{path}.{name}") for name, item in value.items()}

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        self._check(value, path)
        return {name: self.kind.read(item, f"{path}.{name}") for name, item in value.items()}

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        inner = self.kind.schema(definitions)
        if self.names is None:
            return {"type": "object", "additionalProperties": inner}
        return _closed(dict.fromkeys(self.names, inner))

    def _check(self, value: Any, path: str) -> None:
        require(isinstance(value, Mapping), value, path, "an object")
        for name in value:
            require(type(name) is str, name, path, "an object whose names are texts")
        if self.names is not None:
            _check_names(value, dict.fromkeys(self.names, self.kind.words), path)


@dataclasses.dataclass(frozen=True)
class Record:
    """A frozen dataclass of `described` fields; where it has a SCHEMA, its document says so."""

    type: type

    @property
    def words(self) -> str:
        """See `Kind`."""
        return self.type.__name__

    @property
    def tag(self) -> str | None:
        """The name and version of the document that the dataclass is; None for a part of one."""
        return getattr(self.type, "SCHEMA", None)

    def write(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        require(isinstance(value, self.type), value, path, f"a {self.words}")
        written = {
            field.name: kind_of(field.hint).write(getattr(value, field.name), f"{path}.{field.name}")
            for field in fields_of(self.type)
        }
        return written if self.tag is None else {"schema": self.tag, **written}

    def read(self, value: Any, path: str) -> Any:
        """See `Kind`."""
        require(isinstance(value, dict), value, path, "an object")
        if self.tag is not None:
            require(value.get("schema") == self.tag, value.get("schema"), f"{path}.schema", repr(self.tag))
            value = {name: item for name, item in value.items() if name != "schema"}
        fields = fields_of(self.type)
        _check_names(value, {field.name: field.meaning for field in fields}, path)
        given = {
            field.name: kind_of(field.hint).read(value[field.name], f"{path}.{field.name}")
            for field in fields
        }
        try:
            return self.type(**given)
        except UsageError as error:  # a rule between fields, which the dataclass checks by itself
            raise UsageError(f"{path}.{error}") from None

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        """See `Kind`."""
        name = self.type.__name__
        if name not in definitions:
            definitions[name] = {}  # so that a dataclass may hold itself
            properties = {} if self.tag is None else {"schema": {"const": self.tag}}
            for field in fields_of(self.type):
                said = {"description": field.meaning, **({"unit": field.unit} if field.unit else {})}
                properties[field.name] = {**kind_of(field.hint).schema(definitions), **said}
            definitions[name] = {"description": summary_of(self.type), **_closed(properties)}
        return {"$ref": f"#/$defs/{name}"}


_PLAIN: Mapping[Any, Kind] = {
    str: Plain(str, "a text", "string"),
    int: Plain(int, "a whole number", "integer"),
    bool: Plain(bool, "true or false", "boolean"),
    float: Number(),
    Any: Free(),
}


@functools.cache
def kind_of(hint: Any) -> Kind:
    """The kind that a type hint stands for."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return Record(typing.cast(type, hint))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return Choice(inner)
    if origin in (types.UnionType, typing.Union) and len(inner) == 2 and type(None) in inner:
        return Maybe(kind_of(next(one for one in inner if one is not type(None))))
    if origin is collections.abc.Sequence:
        return Listed(kind_of(inner[0]))
    if origin is collections.abc.Mapping:
        names = None if inner[0] is str else typing.get_args(inner[0])
        return Named(kind_of(inner[1]), names)
    raise TypeError(f"{hint} has no form in a document")


def _check_names(value: Mapping[str, Any], wanted: Mapping[str, str], path: str) -> None:
    for name, meaning in wanted.items():
        if name not in value:
            raise UsageError(f"{path}.{name}: missing ({meaning})")
    for name in value:
        if name not in wanted:
            raise UsageError(
                f"{path}.{reprlib.repr(name)[1:-1]}: unknown; the fields are {', '.join(wanted)}"
            )


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
