"""The search for defenses that keep explanations useful: compared on shadows, measured once on targets."""

from leakjax.hardening.document import HardeningReport
from leakjax.hardening.run import Search, harden

__all__ = ["HardeningReport", "Search", "harden"]
