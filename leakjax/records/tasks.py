"""The task of a plan, from the data set's files."""

from pathlib import Path

import jax
import numpy as np

from leakjax import data
from leakjax._validate import UsageError, one_of
from leakjax.data import adult
from leakjax.records import encode
from leakjax.records.encode import Task
from leakjax.records.plan import POINTS, Plan


def load_task(
    plan: Plan, *, scaling: str, data_dir: str | None = None, source_dir: str | None = None
) -> Task:
    """The task of a plan, with its continuous features scaled.

    Args:
      plan: Names the data set, its classes and its random features.
      scaling: One of encode.SCALINGS; a sweep tries others than the plan's.
      data_dir: Folder where data sets are kept once prepared; the default one if None.
      source_dir: Folder with the original files, which are then not downloaded.

    Raises:
      UsageError: An unknown data set, files that are not there, a task that has not two classes.
    """
    source = Path(source_dir).expanduser() if source_dir else None
    if plan.dataset == "adult":
        folder = Path(data_dir or data.default_data_dir()).expanduser()
        return encode.adult(adult.raw(folder, source), scaling=scaling)
    if plan.dataset == "parkinsons":
        if source is None:
            raise UsageError(
                "source_dir: parkinsons needs the folder that holds pd_speech.csv or pd_speech.csv.gz"
            )
        plain = source / "pd_speech.csv"
        return encode.parkinsons(plain if plain.exists() else source / "pd_speech.csv.gz", scaling=scaling)
    if plan.dataset == "fashion_mnist":
        points = data.load("fashion_mnist", data_dir=data_dir, source_dir=source_dir)
        key = jax.random.fold_in(jax.random.key(plan.seed), 1_000_000)
        return encode.pair(points.x, points.y, plan.pair, width=plan.width, key=key, name="fashion_mnist")
    if not plan.dataset.startswith("npz:"):
        one_of("dataset", plan.dataset, [*POINTS, "npz:<path>"])
    points = data.load(plan.dataset, data_dir=data_dir)
    if points.classes != 2:
        raise UsageError(f"dataset={plan.dataset!r}: has {points.classes} classes, a records audit needs 2")
    x = encode.scale(points.x.reshape(len(points.x), -1).astype(np.float64), scaling)
    return Task(points.name, x, points.y, np.arange(x.shape[1]), dict(points.groups))
