"""Writes what a study found into its workdir: report.json, figures/, tables/ and report.html."""

import os

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import dumps
from leakjax.records.document import RecordsReport
from leakjax.records.run import Measured
from leakjax.report import tables_csv
from leakjax.report.records import figures
from leakjax.report.records.section import page


def publish(report: RecordsReport, measured: Measured, workdir: str | os.PathLike[str] | Workdir) -> None:
    """Writes report.json, figures/, tables/ and report.html.

    Args:
      report: From `report_of`.
      measured: From `run_units`, for the figures.
      workdir: Where to.
    """
    write = writer(workdir)
    write("report.json", dumps(report).encode())
    images = figures.images(report.results.draws, measured.rows["draws"], report.results.sizes)
    for name, content in images.items():
        write(f"figures/{name}.png", content)
    for name, content in tables_csv.files(report).items():
        write(name, content)
    write("report.html", page(report, images).encode())
