"""Data sets in tensorflow-datasets' array_record format: written once, read without TensorFlow."""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import json_format

from leakjax._validate import UsageError

Columns = dict[str, np.ndarray]  # name -> [rows, ...], equally many rows in each

_READ = 4096  # records read at a time, so that their Python objects stay few
_RAW = tfds.decode.DeserializeMethod.RAW_BYTES


def columns(name: str, splits: Callable[[], Mapping[str, Columns]], data_dir: Path, version: str) -> Columns:
    """A data set's columns, prepared in `data_dir` unless they are there.

    Args:
      name: the builder's name, also its folder in `data_dir`.
      splits: reads the original files, called only if the set is not prepared: split name -> columns.
      data_dir: where prepared sets live.
      version: raised whenever what `splits` returns changes.

    Returns:
      The columns, the splits one after the other in the order of `splits`, and their rows in order.

    Raises:
      UsageError: the folder cannot be written, or holds damaged records.
    """
    folder = data_dir / name / version
    if not folder.exists():
        _prepare(name, splits(), data_dir, version)
    return read(open_builder(folder))


def _prepare(name: str, splits: Mapping[str, Columns], data_dir: Path, version: str) -> None:
    example = next(iter(splits.values()))
    features = {
        key: tfds.features.Tensor(shape=column.shape[1:], dtype=column.dtype)
        for key, column in example.items()
    }

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
        """Writes one record a row, unshuffled."""

        VERSION = tfds.core.Version(version)
        # tfds downloads nothing here. To look for checksums beside this file it would import
        # importlib_resources, which it does not install.
        code_path = None

        def _info(self) -> tfds.core.DatasetInfo:
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
            return {split: self._generate_examples(columns) for split, columns in splits.items()}

        def _generate_examples(self, columns: Columns) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
            for row in range(len(columns["label"])):
                yield row, {key: column[row] for key, column in columns.items()}

    Builder.name = name
    try:
        # Its progress bars and notes assume a download of unknown size.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            Builder(data_dir=data_dir, file_format="array_record").download_and_prepare(
                download_dir=data_dir / "downloads"
            )
    except OSError as error:
        # A finished folder is renamed into place: where another process was first, its work serves.
        if not (data_dir / name / version).exists():
            raise UsageError(f"{data_dir}: cannot prepare {name} there ({error})") from None


def open_builder(folder: Path) -> tfds.core.DatasetBuilder:
    """The builder of the data set prepared in `folder`; a UsageError if the set's description is damaged."""
    try:
        return tfds.builder_from_directory(folder)
    except (OSError, ValueError, json_format.ParseError) as error:
        raise _damaged(folder, error) from None


def read(builder: tfds.core.DatasetBuilder, keys: Sequence[str] | None = None) -> Columns:
    """All records of a prepared data set.

    Args:
      builder: of a set in array_record format.
      keys: which of its features to return; all if None.

    Returns:
      The columns, `train` first and the other splits after it in their order.

    Raises:
      UsageError: damaged records, or a feature whose shape differs between records.
    """
    features = builder.info.features
    keys = list(features) if keys is None else keys
    parts: dict[str, list[np.ndarray]] = {key: [] for key in keys}
    try:
        for split in sorted(builder.info.splits, key=lambda split: split != "train"):
            source = builder.as_data_source(split, deserialize_method=_RAW)
            for start in range(0, len(source), _READ):
                records = source.__getitems__(range(start, min(start + _READ, len(source))))
                if not all(records):  # a file cut at a block's end is read as empty records
                    raise RuntimeError(f"empty records in split {split}")
                rows = [features.deserialize_example_np(record) for record in records]
                for key in keys:
                    column = np.stack([row[key] for row in rows])
                    parts[key].append(column.astype(features[key].np_dtype, copy=False))
        return {key: np.concatenate(parts[key]) for key in keys}
    except RuntimeError as error:  # array_record keeps a hash of every block and compares it
        raise _damaged(builder.data_dir, error) from None
    except ValueError as error:
        raise UsageError(f"{builder.data_dir}: cannot be stacked into arrays ({error})") from None


def _damaged(folder: Path | str, error: Exception) -> UsageError:
    reason = " ".join(str(error).split())  # some have several lines
    return UsageError(f"{folder}: damaged ({reason}); remove this folder to prepare the data set anew")
