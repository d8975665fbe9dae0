"""The number of features and leakage: Shokri, Strobel & Zick's synthetic experiments, done again."""

from leakjax.papers.dimensions.document import Dimensions
from leakjax.papers.dimensions.study import Settings, cases, dimensions

__all__ = ["Dimensions", "Settings", "cases", "dimensions"]
