"""Writes what a study found into its workdir: report.json, figures/, tables/ and report.html."""

import os
from collections.abc import Mapping
from typing import Any

from leakjax._workdir import Workdir, writer
from leakjax.evaluate.document import dumps
from leakjax.report import tables_csv


def publish(
    document: Any, page: str, images: Mapping[str, bytes], workdir: str | os.PathLike[str] | Workdir
) -> None:
    """Writes report.json, figures/*.png, tables/*.csv and report.html.

    Args:
      document: what the study found, a frozen dataclass of `described` fields with a SCHEMA.
      page: the finished HTML.
      images: PNGs by name.
      workdir: where to.
    """
    write = writer(workdir)
    write("report.json", dumps(document).encode())
    for name, content in images.items():
        write(f"figures/{name}.png", content)
    for name, content in tables_csv.files(document).items():
        write(name, content)
    write("report.html", page.encode())
