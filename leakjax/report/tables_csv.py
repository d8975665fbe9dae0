"""tables/*.csv of a workdir: every flat table of a document, and what each of their columns means."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from leakjax.evaluate.document.flat import tables_of

# Rows that name training records: for the owner alone, not for a folder that is passed round.
_OF_RECORDS = ("exposed",)
_COLUMNS = "columns"


def files(document: Any) -> dict[str, bytes]:
    """The contents of every file by its path below the workdir.

    Args:
      document: what a study found, a `leakjax.report.Report` for one.

    Returns:
      "tables/NAME.csv" for each table, numbers in full and nothing where there is none, and "tables/columns.csv"
      with table, column, unit and meaning of every column.
    """
    tables = {name: table for name, table in tables_of(document).items() if name not in _OF_RECORDS}
    contents = {
        name: written([column.name for column in table.columns], table.rows) for name, table in tables.items()
    }
    described = [
        (name, column.name, column.unit, column.meaning)
        for name, table in tables.items()
        for column in table.columns
    ]
    contents[_COLUMNS] = written(("table", "column", "unit", "meaning"), described)
    return {f"tables/{name}.csv": content for name, content in contents.items()}


def written(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as the bytes of a CSV file: true and false in small letters, nothing for None."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([str(cell).lower() if isinstance(cell, bool) else cell for cell in row] for row in rows)
    return text.getvalue().encode()
