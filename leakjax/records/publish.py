"""Writes what a study found into its workdir: report.json, figures/ and report.html."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakjax.records import figures, section
from leakjax.records.run import Measured
from leakjax.report.schema import write_file


def publish_report(report: Mapping[str, Any], measured: Measured, workdir: Path) -> None:
    """Writes report.json, figures/ and report.html.

    Args:
        report: From `report_of`.
        measured: From `run_units`, for the figures.
        workdir: Where to.
    """
    write_file(workdir / "report.json", (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
    results = report["results"]
    images = figures.images(results["draws"], measured.rows["draws"], results["sizes"])
    for name, content in images.items():
        write_file(workdir / "figures" / f"{name}.png", content)
    write_file(workdir / "report.html", section.page(report, images).encode())
