"""report.json, figures, tables, one self-contained HTML page, the same on a terminal, and single plots."""

from leakjax.evaluate.document import Report, from_json, to_json
from leakjax.report import plot
from leakjax.report.compare import Comparison, compare
from leakjax.report.publish import publish
from leakjax.report.schema import read, write
from leakjax.report.terminal import show

__all__ = [
    "Comparison",
    "Report",
    "compare",
    "from_json",
    "plot",
    "publish",
    "read",
    "show",
    "to_json",
    "write",
]
