"""Where points come from, and who is a member of which model."""

from leakjax.data.membership import membership
from leakjax.data.points import Points, deduplicate, evenly_spaced, in_order, take, validate
from leakjax.data.registry import DATASETS, default_data_dir, load

__all__ = [
    "DATASETS",
    "Points",
    "deduplicate",
    "default_data_dir",
    "evenly_spaced",
    "in_order",
    "load",
    "membership",
    "take",
    "validate",
]
