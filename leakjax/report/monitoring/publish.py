"""Writes what a study found into its workdir: report.json, figures/, tables/ and report.html."""

import os

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import dumps
from leakjax.monitoring.document import MonitorReport
from leakjax.report import tables_csv
from leakjax.report.monitoring import figures
from leakjax.report.monitoring.section import page


def publish(report: MonitorReport, workdir: str | os.PathLike[str] | Workdir) -> None:
    """Writes report.json, figures/, tables/ and report.html.

    Args:
      report: from `run_study`.
      workdir: where to.
    """
    write = writer(workdir)
    write("report.json", dumps(report).encode())
    images = figures.images(report)
    for name, content in images.items():
        write(f"figures/{name}.png", content)
    for name, content in tables_csv.files(report).items():
        write(name, content)
    write("report.html", page(report, images).encode())
