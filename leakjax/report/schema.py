"""The result of an audit, and its form on disk: report.json.

The rows are plain mappings with the fields that `leakjax.report.fields` documents. A figure is
`{"value", "low", "high"}`: an estimate and its 95 % interval.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leakjax._validate import UsageError, fail
from leakjax.report import fields

SCHEMA = "leakjax.report/1"

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Report:
    """What an audit found. Each field but the last two is a field of report.json.

    `examples` are for the figures: rows `{"id", "input", "label", "maps"}`, where `input` is
    [height, width, channels] or [features], and `maps[explainer][defense]` is the attribution of it (defense
    "none" is the plain one). `feature_names` names the features of tabular inputs.
    """

    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    timings: Mapping[str, float]
    task: Row
    leakage: Sequence[Row]
    utility: Sequence[Row]
    exposed: Sequence[Row]
    groups: Sequence[Row]
    controls: Sequence[Row]
    smallest_margin: Row
    curves: Sequence[Row]
    examples: Sequence[Row] = ()
    feature_names: Sequence[str] | None = None


def to_json(report: Report) -> dict[str, Any]:
    """The document of a report: plain Python values alone, non-finite numbers as None, without the examples.

    Raises:
        UsageError: a field is missing, or of another kind than `leakjax.report.fields` says.
    """
    values = {name: _plain(getattr(report, name), name) for name in fields.REPORT}
    document = {"schema": SCHEMA, **values}
    validate(document)
    return document


def from_json(document: dict[str, Any]) -> Report:
    """The report of a document, without the examples; the inverse of `to_json`.

    Raises:
        UsageError: the document is not one that `validate` accepts.
    """
    validate(document)
    return Report(**{name: document[name] for name in fields.REPORT})


def validate(document: Any) -> None:
    """Raises UsageError, one line with the place and the rule, unless `document` is a sound report."""
    if not isinstance(document, dict):
        raise UsageError(f"report: must be an object, not {type(document).__name__}")
    if document.get("schema") != SCHEMA:
        raise fail("report.schema", document.get("schema"), f"must be {SCHEMA!r}")
    values = {name: value for name, value in document.items() if name != "schema"}
    fields.check(values, fields.REPORT, "report")
    for index, row in enumerate(values["leakage"]):
        _check_view(row, f"report.leakage[{index}]")
    for index, row in enumerate(values["curves"]):
        if len(row["fpr"]) != len(row["tpr"]):
            raise UsageError(f"report.curves[{index}].tpr: must be as long as fpr, {len(row['fpr'])}")


def write(report: Report, workdir: str | os.PathLike[str]) -> Path:
    """Writes `workdir`/report.json, one row a line, at once or not at all; equal reports give equal bytes.

    Returns:
        The path of the file.
    """
    path = Path(workdir) / "report.json"
    write_file(path, _lines(to_json(report)).encode())
    return path


def write_file(path: Path, content: bytes) -> None:
    """Writes a file so that it holds either its old or its new content, whenever the process is stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def _check_view(row: Row, path: str) -> None:
    if (row["margin"] is not None) != (row["view"] == "both"):
        raise UsageError(f'{path}.margin: must be null unless the view is "both", and given where it is')
    if row["view"] == "prediction":
        for name in ("explainer", "family", "defense"):
            if row[name] != "none":
                raise fail(f"{path}.{name}", row[name], 'must be "none" where the view is "prediction"')


def _plain(value: Any, path: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item, path) for item in value]
    raise UsageError(f"report.{path}: a {type(value).__name__} has no form in JSON")


def _lines(document: dict[str, Any]) -> str:
    parts = []
    for name in sorted(document):
        value = document[name]
        if isinstance(value, list) and value:
            body = "[\n  " + ",\n  ".join(_dump(row) for row in value) + "\n ]"
        else:
            body = _dump(value)
        parts.append(f' "{name}": {body}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
