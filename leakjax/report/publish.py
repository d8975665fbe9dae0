"""Everything that a report leaves in a work directory."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import Report
from leakjax.report import figures, page, schema, tables_csv


def publish(
    report: Report, workdir: str | os.PathLike[str] | Workdir, sections: Sequence[str] = ()
) -> list[Path]:
    """Writes report.json, figures/*.png, tables/*.csv, report.html and exposed.json.

    exposed.json lists the most exposed records by their ids, for the owner alone: what may be passed round, all the
    other files, names no record.

    Args:
      report: What the audit found.
      workdir: Where the files go.
      sections: Finished HTML for the page alone, of other measurements.

    Returns:
      The paths of the files.
    """
    images, write = figures.images(report), writer(workdir)
    contents = {f"figures/{name}.png": content for name, content in images.items()}
    contents |= tables_csv.files(report)
    contents["report.html"] = page.render(report, images, sections).encode()
    if report.exposed:
        contents["exposed.json"] = schema.exposed(report)
    shared = dataclasses.replace(report, exposed=[])
    return [schema.write(shared, workdir), *(write(name, content) for name, content in contents.items())]
