"""Which training records explanations by records can reveal at all: Shokri, Strobel & Zick's bounds, by brute force."""

from leakjax.papers.theorem.document import Theorem
from leakjax.papers.theorem.study import Settings, theorem

__all__ = ["Settings", "Theorem", "theorem"]
