"""The one seam between an ensemble and the local devices: models split over devices, pmap over devices."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

PyTree = Any


def split(tree: PyTree) -> PyTree:
    """Reshapes leaves [models, ...] to [devices, models per device, ...].

    Any number of models will do: the first ones are repeated until the devices have equally many.
    """
    devices = jax.local_device_count()

    def leaf(array: np.ndarray) -> np.ndarray:
        per_device = -(-len(array) // devices)
        rows = np.arange(devices * per_device) % len(array)
        return array[rows].reshape(devices, per_device, *array.shape[1:])

    return jax.tree.map(leaf, tree)


def join(tree: PyTree, models: int) -> PyTree:
    """Undoes `split`, in host memory: leaves [models, ...], without the repeated ones."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:models], jax.device_get(tree))


def placed_like(array: np.ndarray | jax.Array, other: jax.Array) -> jax.Array:
    """Puts an array, as `split` leaves it, on the devices where `other` lies, in memory of its own."""
    return jax.device_put(array, other.sharding, may_alias=False)


def replicate(tree: PyTree) -> PyTree:
    """Puts a copy of every leaf on each device, [...] to [devices, ...], once for all calls of a program."""
    each = np.arange(jax.local_device_count())
    program = jax.pmap(lambda _, shared: shared, in_axes=(0, None), devices=jax.local_devices())
    return program(each, tree)


def spread(
    function: Callable[..., PyTree], *, shared: int, together: bool = True, donate: tuple[int, ...] = ()
) -> Callable[..., PyTree]:
    """Compiles a function of one model into one program for all models of all local devices.

    Args:
      function: takes `shared` arguments that all models have in common, then arguments of its own model.
      shared: how many leading arguments are common to all models.
      together: the models of a device run in one batched computation; False: one after the other.
      donate: positions of the arguments whose memory the results may take.

    Returns:
      The program: common arguments as `replicate` leaves them, the others and the results as `split` does.
    """

    def of_device(*arguments: PyTree) -> PyTree:
        def of_model(own: tuple[PyTree, ...]) -> PyTree:
            return function(*arguments[:shared], *own)

        own = arguments[shared:]
        if (
            len(jax.tree.leaves(own)[0]) == 1
        ):  # no batch dimension that the compiler would have to see through
            return jax.tree.map(lambda leaf: leaf[None], of_model(jax.tree.map(lambda leaf: leaf[0], own)))
        run = jax.vmap(of_model) if together else partial(jax.lax.map, of_model)
        return run(own)

    # Local devices alone: over all of a pod, every process would have to run the same program at the same time.
    return jax.pmap(of_device, donate_argnums=donate, devices=jax.local_devices())
