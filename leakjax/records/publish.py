"""Writes what a study found into its workdir: report.json, figures/ and report.html."""

from pathlib import Path

from leakjax.evaluate.document import dumps
from leakjax.records import figures, section
from leakjax.records.document import RecordsReport
from leakjax.records.run import Measured
from leakjax.report.schema import write_file


def publish_report(report: RecordsReport, measured: Measured, workdir: Path) -> None:
    """Writes report.json, figures/ and report.html.

    Args:
        report: From `report_of`.
        measured: From `run_units`, for the figures.
        workdir: Where to.
    """
    write_file(workdir / "report.json", dumps(report).encode())
    images = figures.images(report.results.draws, measured.rows["draws"], report.results.sizes)
    for name, content in images.items():
        write_file(workdir / "figures" / f"{name}.png", content)
    write_file(workdir / "report.html", section.page(report, images).encode())
