"""Documents as JSON: written, read with validation, described by a JSON Schema and a table of fields."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from leakjax.evaluate.document.fields import fields_of, summary_of
from leakjax.evaluate.document.kinds import Record, kind_of

T = TypeVar("T")

_LONG = 120  # characters of an object that still stand on one line


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
    """The text of a document's file, in the order of its types; each row of a list has a line of its own."""
    return _lines(to_json(document, path), 1) + "\n"


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
    text, indent = json.dumps(value, allow_nan=False), " " * depth
    if isinstance(value, Mapping) and len(text) > _LONG:
        parts = [f"{json.dumps(name)}: {_lines(item, depth + 1)}" for name, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        parts = [json.dumps(row, allow_nan=False) for row in value]
    else:
        return text
    start, end = "{}" if isinstance(value, Mapping) else "[]"
    return f"{start}\n{indent}" + f",\n{indent}".join(parts) + f"\n{indent[1:]}{end}"
