"""Writes what a study found into its workdir: report.json, figures/, tables/ and report.html."""

import os
from collections.abc import Mapping

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import dumps
from leakjax.inversion.document import InversionReport
from leakjax.report import tables_csv
from leakjax.report.inversion import section


def publish(
    report: InversionReport, images: Mapping[str, bytes], workdir: str | os.PathLike[str] | Workdir
) -> None:
    """Writes report.json, figures/, tables/ and report.html.

    Args:
      report: from `report_of`.
      images: PNGs by name.
      workdir: where to.
    """
    write = writer(workdir)
    write("report.json", dumps(report).encode())
    for name, content in images.items():
        write(f"figures/{name}.png", content)
    for name, content in tables_csv.files(report).items():
        write(name, content)
    write("report.html", section.page(report, images).encode())
