"""Documents as flat tables: one row a measurement, one number a column, each column with its meaning.

A record becomes a row. What it holds by itself becomes columns: an estimate `auc` becomes auc, auc_low and auc_high,
and rates by name become tpr_at_fpr_0.01, ...; sequences of numbers beside each other, as of a curve, become as many
rows. Lists and maps of records become tables of their own, whose first columns say which record they belong to.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from leakjax.evaluate.document.fields import fields_of
from leakjax.evaluate.document.kinds import Listed, Maybe, Named, Record, kind_of
from leakjax.evaluate.document.values import Free, Kind, Number, unboxed

_ROOT = "report"  # the table of what a document holds by itself


class Column(NamedTuple):
    """A column of a flat table: its name, what it means, its unit."""

    name: str
    meaning: str
    unit: str


class Table(NamedTuple):
    """A flat table: columns, and rows of texts, numbers, truth values and None where there is nothing."""

    columns: Sequence[Column]
    rows: list[list[Any]]


def tables_of(document: Any) -> dict[str, Table]:
    """Every table of a document by name, those without a row too.

    Args:
      document: a frozen dataclass of `described` fields. Maps of whatever JSON can say, such as its config, are no
        tables.
    """
    found: dict[str, Table] = {}
    _describe(Record(type(document)), "", "", (), found)
    _fill(Record(type(document)), document, "", (), found)
    return found


def _describe(kind: Kind, name: str, meaning: str, keys: Sequence[Column], found: dict[str, Table]) -> None:
    """Adds the tables of a kind, without rows."""
    match kind:
        case Maybe():
            _describe(kind.kind, name, meaning, keys, found)
        case Record():
            own = [column for column, _, _ in _own(kind)]
            if own:
                found[name or _ROOT] = Table([*keys, *own], [])
            for field, inner in _inner(kind):
                _describe(inner, _joined(name, field.name), field.meaning, keys, found)
        case Listed(kind=Named() as inner):
            _describe(inner, name, meaning, [*keys, Column("row", f"place among: {meaning}", "")], found)
        case Listed():
            _describe(kind.kind, name, meaning, keys, found)
        case Named():
            if not isinstance(kind.kind, Free):
                label = "name" if all(key.name != "name" for key in keys) else f"name_{len(keys) + 1}"
                _describe(kind.kind, name, meaning, [*keys, Column(label, f"of: {meaning}", "")], found)
        case _:
            found[name] = Table([*keys, Column("value", meaning, "")], [])


def _fill(kind: Kind, value: Any, name: str, keys: Sequence[Any], found: dict[str, Table]) -> None:
    """Adds the rows of a value."""
    match kind:
        case Maybe():
            if value is not None:
                _fill(kind.kind, value, name, keys, found)
        case Record():
            if (name or _ROOT) in found:
                found[name or _ROOT].rows.extend([*keys, *row] for row in _rows(kind, value))
            for field, inner in _inner(kind):
                _fill(inner, getattr(value, field.name), _joined(name, field.name), keys, found)
        case Listed():
            for place, item in enumerate(value):
                _fill(kind.kind, item, name, [*keys, place] if isinstance(kind.kind, Named) else keys, found)
        case Named():
            for each, item in value.items():
                _fill(kind.kind, item, name, [*keys, each], found)
        case _:
            if name in found:
                found[name].rows.append([*keys, _cell(value)])


def _rows(kind: Record, value: Any) -> Iterator[list[Any]]:
    """The rows of one record: one, or one for each number of its sequences."""
    cells = [get(value) for _, get, _ in _own(kind)]
    along = [series for _, _, series in _own(kind)]
    if not any(along):
        yield [_cell(cell) for cell in cells]
        return
    length = next(len(cell) for cell, series in zip(cells, along, strict=True) if series)
    for place in range(length):
        yield [_cell(cell[place] if series else cell) for cell, series in zip(cells, along, strict=True)]


def _own(kind: Record) -> list[tuple[Column, Any, bool]]:
    """What a record holds by itself: columns, how each is read off it, and whether that is a sequence."""
    found = []
    inner = {field.name for field, _ in _inner(kind)}
    for field in fields_of(kind.type):
        if field.name not in inner:
            get = lambda record, name=field.name: getattr(record, name)
            column = Column(field.name, field.meaning, field.unit)
            found += _spread(kind_of(field.hint), column, get)
    return found


def _spread(kind: Kind, column: Column, get: Any) -> list[tuple[Column, Any, bool]]:
    """The columns of a value inside a record."""
    match kind:
        case Maybe():
            return _spread(kind.kind, column, get)
        case Record():
            found = []
            for field in fields_of(kind.type):
                same = field.name == "value"
                part = Column(
                    column.name if same else f"{column.name}_{field.name}",
                    column.meaning if same else f"{column.meaning}: {field.meaning}",
                    field.unit or column.unit,
                )
                read = lambda record, name=field.name: _part(get(record), lambda own: getattr(own, name))
                found += _spread(kind_of(field.hint), part, read)
            return found
        case Named():
            found = []
            for each in kind.names or ():
                part = Column(f"{column.name}_{each}", f"{column.meaning}: {each}", column.unit)
                read = lambda record, name=each: _part(get(record), lambda own: own[name])
                found += _spread(kind.kind, part, read)
            return found
        case _:
            return [(column, get, isinstance(kind, Listed) and isinstance(kind.kind, Number))]


def _part(whole: Any, get: Any) -> Any:
    return None if whole is None else get(whole)


def _inner(kind: Record) -> list[tuple[Any, Kind]]:
    """The fields of a record that become tables of their own."""
    found = []
    root = kind.tag is not None  # the parts of a document are tables, those of its rows are columns
    for field in fields_of(kind.type):
        own = kind_of(field.hint)
        bare = own.kind if isinstance(own, Maybe) else own
        if _is_inner(bare) or (root and isinstance(bare, Record)):
            found.append((field, bare))
    return found


def _is_inner(kind: Kind) -> bool:
    match kind:
        case Listed():
            return isinstance(kind.kind, Record | Named)
        case Named():
            return kind.names is None or _is_inner(kind.kind)
        case Record():
            return bool(_inner(kind))
        case _:
            return False


def _cell(value: Any) -> Any:
    """A value as a cell holds it: None for what is not known, JSON for what has no other form."""
    value = unboxed(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.dumps(value) if isinstance(value, Mapping | list | tuple) else value


def _joined(*names: str) -> str:
    return "_".join(filter(None, names))
