"""Points out of a table as people have it: categories, numbers, gaps, and columns that are no features."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from leakjax import _memory, _validate
from leakjax._validate import UsageError
from leakjax.data import columns
from leakjax.data.columns import Columns
from leakjax.data.labels import classes_of
from leakjax.data.points import Points, in_order

# The indicators that one column may become; its rarer categories share the last.
_MOST_CATEGORIES = 50
# A column of more values is no group, but its quarters are.
_MOST_LEVELS = 20


def points_of(table: Columns, *, label: str | None, name: str, notes: Sequence[str] = ()) -> Points:
    """Encodes a table: an indicator for each category, numbers to mean 0 and variance 1.

    A category that is missing is a category of its own, a number that is missing is the median. Constant columns and
    columns that look like ids are left out. All statistics are of all rows, whoever is trained on them, so that
    members and non-members are treated alike.

    Args:
      table: the columns by name, each [rows].
      label: the column to be predicted.
      name: of the data set.
      notes: what is to be said about the source, first.

    Returns:
      The points, x float32. `groups` holds the label and every column that is kept: its values where they are at
      most 20, else its quarters. `columns` names the column of each feature, `notes` says what was left out.

    Raises:
      UsageError: no such label, a label that is no class, a column without any value or with an infinite one, no
        feature left.
    """
    if label is None:
        raise _validate.fail("label", None, f"must name one of the columns {', '.join(table)}")
    _validate.one_of("label", label, table)
    labelled = classes_of(label, table[label])
    features = {column: values[labelled.rows] for column, values in table.items() if column != label}
    said = [*notes, *labelled.notes]
    for column in list(features):
        _check(name, column, features[column])
        if fault := _no_feature(features[column]):
            said.append(f"Column {column} is left out: {fault}.")
            del features[column]
        elif gaps := int(columns.missing(features[column]).sum()):
            stand_in = "the median" if columns.is_number(features[column]) else "a category of its own"
            said.append(f"Column {column} has no value in {gaps:,} rows; {stand_in} stands in.")
    if not features:
        raise UsageError(f"{name}: no column but the label is left that could be a feature")
    x, feature_names, sources, merged = _encoded(name, features)
    said += merged
    groups = {label: np.array(labelled.names)[labelled.y]}
    groups |= {column: _levels(values) for column, values in features.items()}
    points = in_order(
        x,
        labelled.y,
        classes=len(labelled.names),
        name=name,
        groups=groups,
        feature_names=feature_names,
        columns=sources,
    )
    return points._replace(ids=labelled.rows.astype(np.int32), notes=tuple(said))


def _check(name: str, column: str, values: np.ndarray) -> None:
    if columns.missing(values).all():
        raise UsageError(f"{name}: column {column} has no value in any row; remove it")
    if columns.is_number(values) and np.isinf(values).any():
        raise UsageError(
            f"{name}: column {column} has infinite values, first in row {np.isinf(values).argmax()}"
        )


def _no_feature(values: np.ndarray) -> str:
    """Why a column is no feature, as a clause; nothing where it is one."""
    gaps = columns.missing(values)
    there = values[~gaps]
    different = np.unique(there)
    if len(different) == 1 and (columns.is_number(values) or not gaps.any()):
        return f"it is {columns.texts(different)[0]} in every row"
    if len(there) <= _MOST_LEVELS:
        return ""
    if not columns.is_number(values):
        many = len(different) > max(_MOST_LEVELS, len(there) // 2)
        return (
            f"it looks like an id, {len(different):,} different texts in {len(there):,} rows" if many else ""
        )
    whole = np.array_equal(different, np.round(different))
    if whole and len(different) == len(values) and np.ptp(different) < 2 * len(values):
        return "it looks like an id, a different whole number in every row"
    return ""


def _encoded(name: str, features: Columns) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Features float32 [rows, features], their names, the column of each, and what is to be said."""
    from sklearn.compose import ColumnTransformer  # slow to import, as in `digits`
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows = len(next(iter(features.values())))
    width = sum(
        1 if columns.is_number(values) else min(len(np.unique(values)), _MOST_CATEGORIES)
        for values in features.values()
    )
    _memory.check("dataset", name, 2 * 8 * rows * width, f"{rows:,} rows of {width:,} features")
    cells = np.empty((rows, len(features)), object)
    steps: list[tuple[str, Any, list[int]]] = []
    for place, (column, values) in enumerate(features.items()):
        numeric = columns.is_number(values)
        cells[:, place] = values if numeric else columns.texts(values)
        categories = OneHotEncoder(sparse_output=False, dtype=np.float32, max_categories=_MOST_CATEGORIES)
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        steps.append((column, numbers if numeric else categories, [place]))
    encoder = ColumnTransformer(steps, sparse_threshold=0.0)
    x = np.asarray(encoder.fit_transform(cells), np.float32)
    names, sources, said = [], [], []
    for column, step, _ in encoder.transformers_:
        made = [column]
        if isinstance(step, OneHotEncoder):
            rare = step.infrequent_categories_[0]
            made = [f"{column}: {text}" for text in step.categories_[0] if rare is None or text not in rare]
            if rare is not None:
                made.append(f"{column}: (rare)")
                said.append(f"The {len(rare):,} rarest categories of {column} share one feature.")
        names += made
        sources += [column] * len(made)
    return x, names, sources, said


def _levels(values: np.ndarray) -> np.ndarray:
    """A column as the groups by which leakage may be broken down: str [rows]."""
    if not columns.is_number(values):
        return columns.texts(values)
    there = np.unique(values[~np.isnan(values)])
    if len(there) <= _MOST_LEVELS:
        return columns.texts(values)
    edges = np.unique(np.nanquantile(values, (0.25, 0.5, 0.75)))
    quarter = np.digitize(values, edges)
    levels = np.full(len(values), "(missing)", dtype="U40")
    for place in np.unique(quarter[~np.isnan(values)]):
        inside = (quarter == place) & ~np.isnan(values)
        levels[inside] = f"{values[inside].min():g} to {values[inside].max():g}"
    return levels
