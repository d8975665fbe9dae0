"""What a study of inversion found, as files and as a page: reads its typed report alone."""

from leakjax.report.inversion import figures, section
from leakjax.report.inversion.publish import publish

__all__ = ["figures", "publish", "section"]
