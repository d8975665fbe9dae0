"""The file of a report: report.json, written at once or not at all, and read with its types checked."""

import json
import os
from pathlib import Path

from leakjax._validate import UsageError, fail
from leakjax._workdir import Workdir, reading, writer
from leakjax.evaluate.document import Report, dumps, from_json, to_json


def write(report: Report, workdir: str | os.PathLike[str] | Workdir) -> Path:
    """Writes `workdir`/report.json, one row a line, at once or not at all; equal reports give equal bytes.

    Returns:
      The path of the file.
    """
    return writer(workdir)("report.json", dumps(report).encode())


def exposed(report: Report) -> bytes:
    """The content of exposed.json: the most exposed records by their ids, as a report lists them."""
    return (json.dumps(to_json(report)["exposed"], indent=1) + "\n").encode()


def read(workdir: str | os.PathLike[str]) -> Report:
    """The report of a work directory, without the examples and the exposed records.

    Raises:
      UsageError: there is none, or it is not of the types that `leakjax.evaluate.document` says.
    """
    path = Path(workdir) / "report.json"
    try:
        values = reading.json_of(path)
    except OSError as error:
        raise fail("workdir", str(workdir), f"holds no report.json ({error.strerror})") from None
    except ValueError:
        raise fail("workdir", str(workdir), "its report.json is damaged") from None
    try:
        return from_json(Report, values)
    except UsageError as error:
        raise fail("workdir", str(workdir), f"holds no report of an audit; {error}") from None
