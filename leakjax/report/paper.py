"""report.pdf: the page as a browser prints it, where there is one."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "LEAKJAX_BROWSER"  # a path; empty: none
_SECONDS = 60


def browser() -> str | None:
    """The path of a Chromium: what $LEAKJAX_BROWSER says, else the first of `BROWSERS` that is found."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return shutil.which(named) if named else None
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def printed(page: str) -> bytes | None:
    """A page as the bytes of a PDF; None where there is no Chromium, or it does not print in a minute.

    Args:
      page: HTML that loads nothing.
    """
    path = browser()
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page)
        arguments = [
            f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
        ]
        try:
            subprocess.run(
                [path, *FLAGS, *arguments, source.as_uri()], capture_output=True, timeout=_SECONDS, check=True
            )
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError):
            return None


# A browser of its own, without a window, that asks nobody for anything; as root it has no sandbox to build.
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-extensions",
    *(("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
)
