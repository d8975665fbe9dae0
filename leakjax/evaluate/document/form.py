"""Documents as JSON: written, read with validation, described by a JSON Schema and a table of fields."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from leakjax.evaluate.document.fields import fields_of, summary_of
from leakjax.evaluate.document.kinds import Record, kind_of

T = TypeVar("T")


def to_json(document: Any, path: str = "report") -> dict[str, Any]:
    """The JSON values of a document; numbers that are not finite become None.

    Args:
      document: a frozen dataclass of `described` fields.
      path: what errors call the document.

    Raises:
      UsageError: a field is of another kind than its type hint says.
    """
    return Record(type(document)).write(document, path)


def from_json(document: type[T], values: Any, path: str = "report") -> T:
    """The document that JSON values are; the inverse of `to_json`, None where a number is asked for is NaN.

    Args:
      document: the dataclass.
      values: what `json.loads` returned.
      path: what errors call the document.

    Raises:
      UsageError: one line with the path, the value and the rule that it breaks.
    """
    return Record(document).read(values, path)


def dumps(document: Any, path: str = "report") -> str:
    """The text of a document's file: one row a line; equal documents give equal texts."""
    values = to_json(document, path)
    parts = (f' "{name}": {_lines(values[name], 1)}' for name in sorted(values))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def json_schema(document: type) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a dataclass of `described` fields."""
    definitions: dict[str, Any] = {}
    root = Record(document).schema(definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def schema_text(document: type) -> str:
    """The text of the file that publishes the JSON Schema of a dataclass."""
    return json.dumps(json_schema(document), indent=1) + "\n"


def field_table(document: type) -> str:
    """The fields of a dataclass and of all that it holds, as tables in Markdown."""
    definitions: dict[str, Any] = {}
    Record(document).schema(definitions)
    found = {record.__name__: record for record in _records(document)}
    tables = []
    for name in definitions:
        lines = [f"### {name}", "", summary_of(found[name]), ""]
        lines += ["| field | kind | unit | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {field.name} | {kind_of(field.hint).words} | {field.unit} | {field.meaning} |"
            for field in fields_of(found[name])
        ]
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def _records(document: type) -> list[type]:
    """A dataclass and every dataclass that it holds."""
    found, waiting = [document], [kind_of(field.hint) for field in fields_of(document)]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, Record):
            if kind.type not in found:
                found.append(kind.type)
                waiting += [kind_of(field.hint) for field in fields_of(kind.type)]
        elif hasattr(kind, "kind"):
            waiting.append(kind.kind)
    return found


def _lines(value: Any, depth: int) -> str:
    """JSON in which each row of a list of objects has a line of its own."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        indent = " " * (depth + 1)
        return "[\n" + ",\n".join(indent + _dump(row) for row in value) + "\n" + " " * depth + "]"
    return _dump(value)


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
