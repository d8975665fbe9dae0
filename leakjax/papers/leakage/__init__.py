"""DeepLeak's first contribution done again: what every explainer leaks at its default settings, and to whom."""

from leakjax.papers.leakage.document import LeakageProfile
from leakjax.papers.leakage.study import Settings, profile

__all__ = ["LeakageProfile", "Settings", "profile"]
