"""report.json, figures, one self-contained HTML page, and the same on a terminal."""

from leakjax.evaluate.document import Report, from_json, to_json
from leakjax.report.publish import publish
from leakjax.report.schema import read, write
from leakjax.report.terminal import show

__all__ = ["Report", "from_json", "publish", "read", "show", "to_json", "write"]
