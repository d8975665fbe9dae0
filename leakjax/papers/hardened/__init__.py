"""DeepLeak's second contribution done again: every explainer under its hardening and under ours."""

from leakjax.papers.hardened.document import HardeningProfile
from leakjax.papers.hardened.study import Settings, hardening_profile

__all__ = ["HardeningProfile", "Settings", "hardening_profile"]
