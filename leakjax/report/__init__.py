"""report.json, figures, one self-contained HTML page, and the same on a terminal."""

from leakjax.report.publish import publish
from leakjax.report.schema import SCHEMA, Report, from_json, to_json, validate, write
from leakjax.report.terminal import show

__all__ = ["SCHEMA", "Report", "from_json", "publish", "show", "to_json", "validate", "write"]
