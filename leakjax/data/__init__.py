"""Where points come from, and who is a member of which model."""

from leakjax import _spec
from leakjax.data.frame import from_frame
from leakjax.data.membership import membership
from leakjax.data.points import Points, deduplicate, evenly_spaced, in_order, take, validate
from leakjax.data.registry import DATASETS, default_data_dir, load, names, registered

__all__ = [
    "DATASETS",
    "Points",
    "deduplicate",
    "default_data_dir",
    "evenly_spaced",
    "from_frame",
    "in_order",
    "load",
    "membership",
    "names",
    "registered",
    "take",
    "validate",
]

# Not what imports tensorflow_datasets, which is slow and needed by prepared sets alone.
_spec.discover(__name__, without=("from_tfds", "prepared"))
