"""Points in chunks: what a compiled program does to a few hundred of them at a time, on all devices of all processes.

How arrays lie is said by their axis of points: `compiled` takes a tree of such axes for what a program returns,
`Chunks.run` takes the same tree to put the results of all chunks together.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from leakjax import _precision, _progress
from leakjax.auditing.subject import Subject

# Attribution values that a chunk holds at once, for all models and points of it.
CHUNK_VALUES = 2**23
# More points at once keep an accelerator busy; on a CPU they leave the cache (64 models of 8x8 digits: 64 points were
# a tenth faster than 128 or 32).
_MOST_POINTS, _MOST_POINTS_ON_CPU = 1024, 64

_DEVICES: ContextVar[int | None] = ContextVar(
    "devices", default=None
)  # how many of the local ones; None: all

Program = Callable[..., Any]
Found = TypeVar("Found")  # a tree of arrays of a chunk, or of all points


def chunk_size(models: int, features: int) -> int:
    """How many points go through the program at once: a power of two, so that few sizes are ever compiled."""
    most = max(1, CHUNK_VALUES // (models * features))
    limit = _MOST_POINTS_ON_CPU if jax.default_backend() == "cpu" else _MOST_POINTS
    return min(limit, 2 ** (most.bit_length() - 1))


def compiled(
    function: Program,
    arguments: tuple[int | None, ...],
    results: Any,
    mesh: jax.sharding.Mesh | None = None,
) -> Program:
    """Compiles a function of a chunk so that each device runs it on its own part of the points.

    By shard_map and not by the compiler's own partitioning: that gathers where it knows no better (in a batched
    linear solve, say), and on the CPU devices that wait for each other can wait forever. Every product in it, of
    explainers, clips and ratios alike, runs at the precision that the report states.

    Args:
      function: of a chunk.
      arguments: the axis of points of each argument; None for one that every device holds whole.
      results: what the function returns, with the axis of points in place of every array.
      mesh: the devices; those of `mesh_of_points` when None.

    Returns:
      The program; called with what `Chunks.put` has laid out.
    """
    given, returned = tuple(_spec(axis) for axis in arguments), jax.tree.map(_spec, results)

    def at_stated_precision(*chunk: Any) -> Any:
        with _precision.stated():
            return function(*chunk)

    mesh = mesh_of_points() if mesh is None else mesh
    return jax.jit(
        jax.shard_map(at_stated_precision, mesh=mesh, in_specs=given, out_specs=returned, check_vma=False)
    )


class Chunks:
    """Walks over the points of a subject, each chunk of them spread over the devices.

    Points are independent of each other, so no device waits for another; every device holds all models. While a
    chunk is computed the one before it is fetched. Several processes walk in step: each holds what is put, computes its
    part of every chunk and fetches the whole of it.
    """

    def __init__(self, subject: Subject) -> None:
        """Args: subject: what is audited; its variables go to every device."""
        self._points = len(subject.points.x)
        features = subject.maps * int(np.prod(subject.points.x.shape[1:]))
        self._mesh = mesh_of_points()
        self._shared = len({device.process_index for device in self._mesh.devices.flat}) > 1
        devices = self._mesh.size
        self._size = -(-min(chunk_size(subject.models, features), self._points) // devices) * devices
        self.variables = self.put(subject.variables, None)

    def put(self, arrays: Any, axis: int | None = 0) -> Any:
        """Lays arrays of a chunk out on the devices, split along their axis of points, or whole where it is None."""
        sharding = jax.sharding.NamedSharding(self._mesh, _spec(axis))
        if not self._shared:
            return jax.device_put(arrays, sharding)

        def parts(array: Any) -> jax.Array:
            whole = np.asarray(array)
            return jax.make_array_from_callback(whole.shape, sharding, lambda place: whole[place])

        return jax.tree.map(parts, arrays)

    def run(
        self,
        dispatch: Callable[[np.ndarray], Found],
        axes: Found,
        keep: Callable[[Found, np.ndarray], Found],
    ) -> Found:
        """Runs a program over all points.

        Args:
          dispatch: from the rows of a chunk, int [chunk], to the arrays that a program is computing.
          axes: the tree of those arrays, with the axis of points in place of each.
          keep: from a chunk's arrays on the host and its rows to what is kept of them.

        Returns:
          What was kept of all points, in their order.
        """

        def fetch(started: Found, rows: np.ndarray) -> Found:
            if self._shared:
                started = multihost_utils.process_allgather(started, tiled=True)
            # The last chunk was filled up with points of the first.
            first = lambda array, axis: np.asarray(array)[(slice(None),) * axis + (slice(len(rows)),)]
            return keep(jax.tree.map(first, started, axes), rows)

        found, waiting = [], None
        for start in _progress.track(range(0, self._points, self._size)):
            rows = np.arange(start, start + self._size) % self._points
            started = dispatch(rows)
            if waiting is not None:
                found.append(fetch(*waiting))
            waiting = started, rows[: self._points - start]
        if waiting is not None:
            found.append(fetch(*waiting))
        return jax.tree.map(lambda axis, *parts: np.concatenate(parts, axis), axes, *found)


@contextmanager
def on_one_device(where: bool) -> Iterator[None]:
    """Inside, and where it is so, programs run on the first device alone.

    For models that call back into Python: on several CPU devices all threads may be inside a program that waits for
    its callback, and the callback waits for a thread that hands it its arguments.
    """
    token = _DEVICES.set(1 if where else None)
    try:
        yield
    finally:
        _DEVICES.reset(token)


def mesh_of_points() -> jax.sharding.Mesh:
    """The devices that points are spread over: all of all processes, or the first of this one by `on_one_device`."""
    devices = jax.devices() if _DEVICES.get() is None else jax.local_devices()[: _DEVICES.get()]
    return jax.sharding.Mesh(np.array(devices), ("points",))


def _spec(axis: int | None) -> jax.P:
    return jax.P() if axis is None else jax.P(*[None] * axis, "points")
