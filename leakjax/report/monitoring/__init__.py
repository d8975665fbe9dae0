"""What a monitoring study found, as files and as a page: reads its typed report alone."""

from leakjax.report.monitoring import section
from leakjax.report.monitoring.publish import publish

__all__ = ["publish", "section"]
