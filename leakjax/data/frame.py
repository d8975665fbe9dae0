"""The user's own points, from a pandas DataFrame."""

from typing import TYPE_CHECKING

import numpy as np

from leakjax._validate import UsageError
from leakjax.data.points import Points, deduplicate
from leakjax.data.table import points_of

if TYPE_CHECKING:
    from pandas import DataFrame


def from_frame(frame: "DataFrame", label: str, *, name: str = "frame") -> Points:
    """Encodes a pandas DataFrame as `leakjax.data.table.points_of` encodes every table, without exact duplicates.

    Numbers are numbers; categories, texts and truth values are categories; columns of other types, such as dates,
    are left out, and `Points.notes` says so.

    Args:
      frame: its index is not looked at; ids are the rows from 0.
      label: the column to be predicted.
      name: of the data set.

    Returns:
      The points.

    Raises:
      UsageError: columns of one name, no rows; or as `points_of`.
    """
    from pandas.api import types

    names = [str(column) for column in frame.columns]
    if len(set(names)) < len(names) or not len(frame):
        raise UsageError(f"{name}: must have rows, and columns of different names")
    table, notes = {}, []
    for place, column in enumerate(names):
        values = frame.iloc[:, place]
        if types.is_numeric_dtype(values) and not types.is_bool_dtype(values):
            table[column] = values.to_numpy(np.float64, na_value=np.nan)
        elif (
            types.is_bool_dtype(values)
            or types.is_string_dtype(values)
            or types.is_object_dtype(values)
            or isinstance(values.dtype, types.CategoricalDtype)
        ):
            there = values.notna().to_numpy()
            texts = [str(value) if known else "" for value, known in zip(values.tolist(), there, strict=True)]
            table[column] = np.array(texts, dtype=np.str_)
        else:
            notes.append(f"Column {column} is left out: {values.dtype} is neither a number nor a category.")
    return deduplicate(points_of(table, label=label, name=name, notes=notes))
