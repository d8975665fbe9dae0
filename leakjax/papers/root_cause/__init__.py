"""DeepLeak's third contribution done again: which properties of explanations and models drive leakage."""

from leakjax.papers.root_cause.document import RootCause
from leakjax.papers.root_cause.study import Settings, root_cause

__all__ = ["RootCause", "Settings", "root_cause"]
