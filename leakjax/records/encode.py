"""The tasks of the records experiments: binary labels, float64 features, draws of training records."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from leakjax._validate import UsageError, fail, one_of
from leakjax.data.adult import COLUMNS

SCALINGS = ("zscore", "minmax", "none")


class Task(NamedTuple):
    """A binary task.

    Attributes:
      name: Of the data set.
      x: [points, features], float64.
      y: [points], 0 or 1.
      blocks: int [features]; features of one block are the indicators of one category.
      groups: Group column name to str [points].
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    blocks: np.ndarray
    groups: Mapping[str, np.ndarray]


def scale(x: np.ndarray, scaling: str) -> np.ndarray:
    """The columns at mean 0 and variance 1 ("zscore"), within 0 and 1 ("minmax"), or as they are."""
    one_of("scaling", scaling, SCALINGS)
    if scaling == "none":
        return x
    offset = x.mean(axis=0) if scaling == "zscore" else x.min(axis=0)
    spread = x.std(axis=0) if scaling == "zscore" else np.ptp(x, axis=0)
    return (x - offset) / np.where(spread > 0, spread, 1)


def adult(columns: Mapping[str, np.ndarray], *, scaling: str = "zscore") -> Task:
    """Adult as 6 numbers and 98 indicators.

    The six numbers, fnlwgt among them, are scaled; each category has an indicator, sex a single one for both,
    unknown values none. The paper states neither encoding nor scaling; among some fifty tried, this one gives
    its numbers.

    Args:
      columns: Of leakjax.data.adult.raw.
      scaling: One of SCALINGS, of the six numbers.
    """
    parts, blocks = [], []
    for block, (name, categories) in enumerate(COLUMNS.items()):
        if not categories:
            part = scale(columns[name].astype(np.float64)[:, None], scaling)
        else:
            shown = ["Male"] if name == "sex" else categories
            part = (columns[name][:, None] == np.array(shown)).astype(np.float64)
        parts.append(part)
        blocks += [block] * part.shape[1]
    age = columns["age"]
    groups = {
        "race": columns["race"],
        "age": np.where(age < 20, "10-20", "20 and older"),
        "sex": columns["sex"],
    }
    return Task(
        "adult", np.concatenate(parts, axis=1), columns["label"].astype(int), np.array(blocks), groups
    )


def parkinsons(path: Path, *, scaling: str = "zscore") -> Task:
    """252 people by 751 features of their speech, from a CSV with a last column `class` (plain or gzipped).

    Raises:
      UsageError: A file that is not there or not of this form.
    """
    if not path.is_file():
        raise UsageError(f"source_dir: no file {path}")
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        header, *rows = csv.reader(io.StringIO(text), strict=True)
        label = np.array([row[-1] for row in rows])
        features = np.array([row[:-1] for row in rows], np.float64)
    except (OSError, EOFError, ValueError, IndexError, csv.Error, zlib.error) as error:
        raise UsageError(f"{path}: not a readable table of numbers, damaged or truncated ({error})") from None
    if header[-1:] != ["class"]:
        raise UsageError(f"{path}: the last column must be 'class', not {header[-1]!r}")
    if not len(features) or not np.isfinite(features).all():
        raise UsageError(f"{path}: must have rows, of finite numbers alone")
    x = scale(features, scaling)
    return Task("parkinsons", x, (label == np.unique(label)[-1]).astype(int), np.arange(x.shape[1]), {})


def pair(
    x: np.ndarray, y: np.ndarray, classes: tuple[int, int], *, width: int, key: jax.Array, name: str
) -> Task:
    """Two classes of images, lifted to random ReLU features: a linear model with more features than points.

    Args:
      x: [points, ...], images.
      y: int [points], classes.
      classes: The two classes; the second is label 1.
      width: How many random features.
      key: For them.
      name: Of the data set.

    Source: stands in for the paper's penultimate layer of a trained network (section 5.1.1).
    """
    if classes[0] == classes[1] or not np.isin(classes, y).all():
        raise fail("pair", classes, f"must be two different classes out of {np.unique(y).tolist()}")
    chosen = np.isin(y, classes)
    flat = x[chosen].reshape(chosen.sum(), -1).astype(np.float64)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    weights = rng.standard_normal((flat.shape[1], width)) * np.sqrt(2 / flat.shape[1])
    label = (y[chosen] == classes[1]).astype(int)
    return Task(name, np.maximum(flat @ weights, 0), label, np.arange(width), {})


def check_count(name: str, count: int, task: Task) -> None:
    """Raises UsageError unless the task has so many points to draw; `name` is the argument that asks for them."""
    if not 2 <= count <= len(task.y):
        raise fail(name, count, f"must be between 2 and {len(task.y)}, the points of {task.name}")


def draw(task: Task, count: int, *, key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """A random training set of `count` points and the rest: two int arrays of rows.

    Raises:
      UsageError: More points than the task has.
    """
    check_count("points", count, task)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    order = rng.permutation(len(task.y))
    return order[:count], order[count:]
