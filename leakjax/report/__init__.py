"""report.json, figures, one self-contained HTML page."""

from leakjax.report.schema import SCHEMA, Report, from_json, to_json, validate, write

__all__ = ["SCHEMA", "Report", "from_json", "to_json", "validate", "write"]
