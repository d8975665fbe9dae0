"""The columns of a table: numbers or texts, read off the cells of a text file."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

# A column is float64 [rows] with NaN where a value is missing, or str [rows] with "" there.
Columns = Mapping[str, np.ndarray]

# What files write where there is no value.
_MISSING = frozenset(("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# 01234 is a code, not a number.
_CODE = re.compile(r"[+-]?0\d")


def of_cells(cells: Sequence[str], *, decimal_comma: bool = False) -> np.ndarray:
    """A column of a text file: numbers where all its values are numbers, else texts.

    Args:
      cells: [rows], as written; blanks around them go.
      decimal_comma: whether a comma inside a number stands for the point.

    Returns:
      float64 with NaN for missing values, or str with "" for them.
    """
    texts = [cell.strip() for cell in cells]
    texts = ["" if text in _MISSING else text for text in texts]
    written = [text.replace(",", ".", 1) for text in texts] if decimal_comma else texts
    present = [text for text in written if text]
    if present and all(map(_NUMBER.fullmatch, present)) and not any(map(_CODE.match, present)):
        return np.array([text or "nan" for text in written], dtype=np.float64)
    return np.array(texts, dtype=np.str_)


def is_number(column: np.ndarray) -> bool:
    """Whether a column holds numbers rather than texts."""
    return column.dtype.kind == "f"


def missing(column: np.ndarray) -> np.ndarray:
    """Where a column has no value: bool [rows]."""
    return np.isnan(column) if is_number(column) else column == ""


def texts(column: np.ndarray) -> np.ndarray:
    """The values of a column as people write them, "(missing)" where there is none: str [rows]."""
    if is_number(column):
        values, place = np.unique(column, return_inverse=True)
        column = np.array([f"{value:.12g}" for value in values])[place]
        column[column == "nan"] = ""
    return np.where(column == "", "(missing)", column)
