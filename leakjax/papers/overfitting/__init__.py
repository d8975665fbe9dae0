"""Overfitting and leakage: Shokri, Strobel & Zick's attacks on gradients at ever larger generalisation gaps."""

from leakjax.papers.overfitting.document import Overfitting
from leakjax.papers.overfitting.study import Settings, overfitting
from leakjax.papers.overfitting.worlds import NETWORKS, World

__all__ = ["NETWORKS", "Overfitting", "Settings", "World", "overfitting"]
