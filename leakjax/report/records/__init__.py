"""What a records study found, as files and as a page: reads its typed report, and its rows for the figures."""

from leakjax.report.records import section
from leakjax.report.records.publish import publish

__all__ = ["publish", "section"]
