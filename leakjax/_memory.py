"""Sizes are weighed against the memory at hand before anything is allocated."""

from typing import Any

import psutil

from leakjax import _validate


def check(name: str, value: Any, needed: float, what: str) -> None:
    """Raises UsageError with the estimate where more memory is needed than there is.

    Args:
      name: the argument that decides the size, as errors call it.
      value: its value.
      needed: bytes, an estimate.
      what: takes the memory, as in "the models".
    """
    free = psutil.virtual_memory().available
    if needed > free:
        rule = (
            f"{what} would take about {gib(needed)} of memory, {gib(free)} are free; choose fewer or smaller"
        )
        raise _validate.fail(name, value, rule)


def gib(count: float) -> str:
    """A number of bytes for people, in GiB."""
    return f"{count / 2**30:,.1f} GiB"
