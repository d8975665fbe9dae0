"""Everything that a report leaves in a work directory."""

import os
from collections.abc import Sequence
from pathlib import Path

from leakjax.evaluate.document import Report
from leakjax.report import figures, page, schema


def publish(report: Report, workdir: str | os.PathLike[str], sections: Sequence[str] = ()) -> list[Path]:
    """Writes report.json, figures/*.png and report.html.

    Args:
        report: What the audit found.
        workdir: Where the files go.
        sections: Finished HTML for the page alone, of other measurements.

    Returns:
        The paths of the files.
    """
    images = figures.images(report)
    contents = {Path(workdir) / "figures" / f"{name}.png": content for name, content in images.items()}
    contents[Path(workdir) / "report.html"] = page.render(report, images, sections).encode()
    for path, content in contents.items():
        schema.write_file(path, content)
    return [schema.write(report, workdir), *contents]
