"""How many threads NumPy's products may use, and work in NumPy that is spread over the cores."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Found = TypeVar("Found")

_controller = functools.cache(ThreadpoolController)


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """Keeps BLAS to one thread: many small products gain nothing from more, and lose much on a busy machine.

    Where two threads of OpenBLAS wait for each other on two busy cores, a product of 1 ms was seen to take 90.
    """
    return _controller().limit(limits=1, user_api="blas")


def on_all_cores(function: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What a function says of each item, in their order; each core works on another item, with one thread of BLAS.

    For functions that spend their time in NumPy and SciPy, which let other threads run meanwhile. What they say does
    not depend on how many cores there are.

    Args:
      function: it writes to nothing that another item reads.
      items: any.
    """
    with one_blas_thread(), ThreadPoolExecutor(_cores()) as pool:
        return list(pool.map(function, items))


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
