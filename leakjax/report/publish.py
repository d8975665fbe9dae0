"""Everything that a report leaves in a work directory."""

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import Report
from leakjax.report import figures, page, paper, schema, tables_csv


def publish(
    report: Report, workdir: str | os.PathLike[str] | Workdir, sections: Sequence[str] = ()
) -> list[Path]:
    """Writes report.json, figures/*.png, *.svg and *.pdf, tables/*.csv, report.html, report.pdf and exposed.json.

    report.pdf is the page as a Chromium prints it, where one is at hand (`leakjax.report.paper`). exposed.json lists
    the most exposed records by their ids, for the owner alone: what may be passed round, all the other files, names no
    record.

    Args:
      report: What the audit found.
      workdir: Where the files go.
      sections: Finished HTML for the page alone, of other measurements.

    Returns:
      The paths of the files.
    """
    write, drawn = writer(workdir), figures.files(report)
    contents = {f"figures/{name}": content for name, content in drawn.items()}
    contents |= tables_csv.files(report)
    images = {name.removesuffix(".png"): content for name, content in drawn.items() if name.endswith(".png")}
    with ThreadPoolExecutor(1) as beside:  # paper shows none of the other looks, which are drawn meanwhile
        printing = beside.submit(paper.printed, page.render(report, images, sections))
        images |= figures.pictures(report)
        on_paper = printing.result()
    if on_paper is not None:
        contents["report.pdf"] = on_paper
    contents["report.html"] = page.render(report, images, sections, on_paper=on_paper is not None).encode()
    if report.exposed:
        contents["exposed.json"] = schema.exposed(report)
    shared = dataclasses.replace(report, exposed=[])
    return [schema.write(shared, workdir), *(write(name, content) for name, content in contents.items())]
