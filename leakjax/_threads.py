"""How many threads NumPy's products may use."""

import contextlib
import functools

from threadpoolctl import ThreadpoolController

_controller = functools.cache(ThreadpoolController)


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """Keeps BLAS to one thread: many small products gain nothing from more, and lose much on a busy machine.

    Where two threads of OpenBLAS wait for each other on two busy cores, a product of 1 ms was seen to take 90.
    """
    return _controller().limit(limits=1, user_api="blas")
