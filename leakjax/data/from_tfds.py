"""Classification sets that tensorflow-datasets has prepared, read without TensorFlow."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from absl import logging

from leakjax._validate import UsageError
from leakjax.data import prepared
from leakjax.data.points import Points, in_order

# Such a name cannot lead out of the folder that it is looked for in.
_PART = r"[A-Za-z0-9][\w.+-]*"
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,2}}", re.ASCII)


def load(name: str, data_dir: Path) -> Points:
    """All splits of a data set that lies prepared in array_record format in `data_dir`.

    A set with an image feature becomes its images, scaled to [0, 1] by `load`. Any other becomes its numeric
    features, flattened and concatenated in the order of their names, a class as indicators of its values;
    text and nested features are left out.

    Args:
      name: `name`, `name/config` or `name/config/version`, as in tensorflow-datasets; the newest version if
        none.
      data_dir: where tensorflow-datasets prepared it.

    Returns:
      The points, `train` first; x uint8 [points, height, width, channels] or float32 [points, features].

    Raises:
      UsageError: not such a name, not prepared there, another file format, not a classification set, images
        of several sizes, damaged records.
    """
    where = f"tfds:{name}"
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{where!r}: must be tfds:<name>, tfds:<name>/<config> or tfds:<name>/<config>/<version>; each begins with "
            "a letter or digit"
        )
    builder = prepared.open_builder(_folder(where, data_dir / name))
    file_format = builder.info.file_format
    if file_format is None or file_format.value != "array_record":
        raise UsageError(
            f"{where}: {builder.data_dir} is in another format than array_record; prepare it with "
            "builder.download_and_prepare(file_format='array_record')"
        )
    features = dict(builder.info.features)
    label = _label(where, features, builder.info.supervised_keys)
    images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    if len(images) > 1:
        raise UsageError(f"{where}: has several images, {', '.join(images)}; must have one")
    inputs = images or sorted(key for key in features if key != label and _is_numeric(features[key]))
    left_out = sorted(features.keys() - {label, *inputs})
    if left_out:
        logging.warning("%s: not used: %s", where, ", ".join(left_out))
    if not inputs:
        raise UsageError(f"{where}: has neither an image nor a numeric feature")
    columns = prepared.read(builder, [*inputs, label])
    x = columns[images[0]] if images else _table([(features[key], columns[key]) for key in inputs])
    return in_order(x, columns[label], classes=features[label].num_classes, name=where)


def _folder(where: str, root: Path) -> Path:
    prepared_in = [path.parent for path in root.rglob("dataset_info.json")]
    # Folders of interrupted preparations are not named by a version.
    found = [path for path in prepared_in if tfds.core.Version.is_valid(path.name)]
    if not found:
        raise UsageError(
            f"{where}: nothing prepared in {root}; prepare it there by tensorflow-datasets with "
            "file_format='array_record', or name the folder where it is as data_dir"
        )
    configs = {path.parent for path in found if path != root}
    if len(configs) > 1:
        names = ", ".join(sorted(f"{where}/{path.relative_to(root)}" for path in configs))
        raise UsageError(f"{where}: prepared in several configurations; choose one of {names}")
    return max(found, key=lambda path: tfds.core.Version(path.name))


def _label(where: str, features: dict[str, Any], supervised_keys: tuple | None) -> str:
    named = supervised_keys[1] if supervised_keys else "label"
    label = named if isinstance(named, str) else "label"  # otherwise it is a nest of several
    feature = features.get(label)
    if not (isinstance(feature, tfds.features.ClassLabel) and feature.num_classes):
        raise UsageError(f"{where}: is not a classification set, its feature {label!r} is not a class label")
    return label


def _is_numeric(feature: tfds.features.FeatureConnector) -> bool:
    return isinstance(feature, tfds.features.Tensor) and np.dtype(feature.np_dtype).kind in "biuf"


def _table(columns: list[tuple[tfds.features.FeatureConnector, np.ndarray]]) -> np.ndarray:
    parts = []
    for feature, column in columns:
        if isinstance(feature, tfds.features.ClassLabel):
            column = column[:, None] == np.arange(feature.num_classes)
        parts.append(column.reshape(len(column), -1).astype(np.float32))
    return np.concatenate(parts, axis=1)
