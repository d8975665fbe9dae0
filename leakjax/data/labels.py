"""Classes out of a column of labels: which rows have one, which classes are too rare, what is no class at all."""

from typing import NamedTuple

import numpy as np

from leakjax import _validate
from leakjax.data import columns

# A model learns nothing of a class with fewer points, and an audit says nothing about it.
LEAST_ROWS = 20
# More numbers than that are a quantity, not classes; where some are fractions, fewer tell.
_MOST_NUMBERS, _MOST_FRACTIONS = 100, 20
_NAMED = 8


class Labelled(NamedTuple):
    """The rows of a table that have a label.

    Attributes:
      rows: int [rows kept], ascending.
      y: int32 [rows kept], 0..classes-1, in the order of `names`.
      names: of the classes, sorted: numbers by size, texts by letters.
      notes: what was left out, one sentence each.
    """

    rows: np.ndarray
    y: np.ndarray
    names: list[str]
    notes: list[str]


def classes_of(name: str, column: np.ndarray) -> Labelled:
    """Makes classes of a column; rows without a label and rows of rare classes are left out, and said.

    Args:
      name: of the column, for errors and notes.
      column: as `columns.Columns` describes.

    Raises:
      UsageError: fewer than two classes of at least `LEAST_ROWS` rows, or numbers that are no classes.
    """
    present = ~columns.missing(column)
    values, place, counts = np.unique(column[present], return_inverse=True, return_counts=True)
    if len(values) < 2:
        seen = f"the one value {columns.texts(values)[0]}" if len(values) else "no value at all"
        raise _validate.fail("label", name, f"holds {seen}; a label needs at least two")
    fractions = columns.is_number(column) and bool(np.any(values != np.round(values)))
    if columns.is_number(column) and len(values) > (_MOST_FRACTIONS if fractions else _MOST_NUMBERS):
        rule = (
            f"holds {len(values):,} different numbers, a quantity rather than classes; regression is out of scope, "
            "make bands of it first"
        )
        raise _validate.fail("label", name, rule)
    common = counts >= LEAST_ROWS
    if common.sum() < 2:
        rule = (
            f"{common.sum()} of its {len(values):,} values have {LEAST_ROWS} rows or more; at least two must"
        )
        raise _validate.fail("label", name, rule)
    kept = common[place]
    names = columns.texts(values).tolist()
    notes = [f"{name} is the label: {_listed([n for n, c in zip(names, common, strict=True) if c])}."]
    if not present.all():
        notes.append(f"{np.sum(~present):,} rows without a label are left out.")
    if not common.all():
        rare = [f"{n} ({c})" for n, c, often in zip(names, counts, common, strict=True) if not often]
        notes.append(f"Classes of fewer than {LEAST_ROWS} rows are left out: {_listed(rare)}.")
    return Labelled(
        np.flatnonzero(present)[kept],
        (np.cumsum(common) - 1)[place[kept]].astype(np.int32),
        [one for one, often in zip(names, common, strict=True) if often],
        notes,
    )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
