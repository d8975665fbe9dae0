"""The user's own points, from a table in a text file."""

import csv
import io
import os
from pathlib import Path

from leakjax._validate import UsageError
from leakjax._workdir import reading
from leakjax.data import columns
from leakjax.data.points import Points
from leakjax.data.table import points_of

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 2**20


def load(path: str | os.PathLike[str], *, label: str | None = None) -> Points:
    """Reads a table whose first row names its columns.

    The separator is the one of comma, semicolon, tab and bar that the first row holds most of; beside semicolons a
    comma inside a number is its decimal point.

    Args:
      path: a file in UTF-8.
      label: the column to be predicted.

    Returns:
      The points, as `leakjax.data.table.points_of` encodes them.

    Raises:
      UsageError: no such file, none in UTF-8, no rows, columns without a name or of one name, rows of another
        length; or as `points_of`.
    """
    path = Path(path).expanduser()
    text = _text(path)
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    header: list[str] = []
    try:
        for row in reader:
            if not row:  # an empty line
                continue
            if not header:
                header = _header(path, row)
            elif len(row) != len(header):
                raise UsageError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, the first row has {len(header)}"
                )
            else:
                rows.append(row)
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num} is no row of a table ({error})") from None
    if not rows:
        raise UsageError(f"{path}: has no rows; the first row must name the columns, the others hold values")
    cells = zip(*rows, strict=True)
    table = {
        name: columns.of_cells(column, decimal_comma=separator == ";")
        for name, column in zip(header, cells, strict=True)
    }
    return points_of(table, label=label, name=f"csv:{path}")


def _text(path: Path) -> str:
    try:
        content = reading.content(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith(b"\x1f\x8b"):
        raise UsageError(f"{path}: is gzipped; unpack it first")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line} is not in UTF-8; save the file in UTF-8") from None


def _header(path: Path, row: list[str]) -> list[str]:
    header = [name.strip() for name in row]
    for name in header:
        if header.count(name) > 1:
            raise UsageError(f"{path}: two columns are called {name!r}; each needs a name of its own")
    if len(header) < 2:
        raise UsageError(f"{path}: has the one column {header[0]}; must have a label and a feature at least")
    if "" in header[1:]:
        raise UsageError(f"{path}: column {header.index('') + 1} has no name in the first row")
    # Tables written with their row numbers, as pandas does it, leave the name of the first column empty.
    return [header[0] or "row number", *header[1:]]
