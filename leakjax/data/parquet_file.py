"""The user's own points, from a Parquet file, where pyarrow is there."""

import os
from pathlib import Path

import numpy as np

from leakjax._validate import UsageError
from leakjax.data.points import Points
from leakjax.data.table import points_of


def load(path: str | os.PathLike[str], *, label: str | None = None) -> Points:
    """Reads a table in Parquet's format.

    Args:
      path: a file.
      label: the column to be predicted.

    Returns:
      The points, as `leakjax.data.table.points_of` encodes them; dates and nested columns are left out.

    Raises:
      UsageError: pyarrow is not there, no such file, a damaged one, no rows; or as `points_of`.
    """
    path = Path(path).expanduser()
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise UsageError(
            f"parquet:{path}: needs pyarrow, pip install leakjax[tables]; or save it as csv"
        ) from None
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        file = parquet.read_table(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise UsageError(f"{path}: not a readable Parquet file ({error})") from None
    if not file.num_rows or len(set(file.column_names)) < file.num_columns:
        raise UsageError(f"{path}: must have rows, and columns of different names")
    table, notes = {}, []
    for name, column in zip(file.column_names, file.columns, strict=True):
        kind = column.type.value_type if arrow.types.is_dictionary(column.type) else column.type
        if arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_decimal(kind):
            table[name] = column.cast(arrow.float64(), safe=False).to_numpy().astype(np.float64)
        elif arrow.types.is_string(kind) or arrow.types.is_large_string(kind) or arrow.types.is_boolean(kind):
            texts = ["" if value is None else str(value) for value in column.to_pylist()]
            table[name] = np.array(texts, dtype=np.str_)
        else:
            notes.append(f"Column {name} is left out: {column.type} is neither a number nor a category.")
    return points_of(table, label=label, name=f"parquet:{path}", notes=notes)
