"""How much memory training takes, and how many models fit."""

import math
import os
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import UsageError, fail
from leakjax.models.model import Model
from leakjax.shadow.config import TrainConfig
from leakjax.shadow.gap import CHUNK
from leakjax.shadow.private import padded
from leakjax.shadow.train import start_training

_SHARE = 0.6  # of the free memory that an ensemble may take; the rest is the program's and other people's
_SMALL = 2**20  # bytes of a step below which a model alone does not fill a core
_TOGETHER_CPU, _TOGETHER = 8, 64
_MOST_BLOCK = 1024  # models; beyond it a block is but longer, not faster


def model_bytes(model: Model, x: np.ndarray, config: TrainConfig) -> tuple[int, int]:
    """Bytes that one model takes.

    Args:
      model: the network.
      x: features of the pool [points, ...], or their shape and type.
      config: how to train.

    Returns:
      What it holds between two epochs; what it takes besides in a step: gradients, what the backward pass
      needs of the forward one, and the order of the points. In private training each point of the padded batch
      has a gradient of its own; where a gap is looked at after an epoch, that forward pass counts if it takes
      more. The second is an estimate, within a factor of two of what XLA allocates.
    """
    example = jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(model.init, key, example)
    state = jax.eval_shape(lambda tree, key: start_training(config, len(x), tree, key), variables, key)
    points = len(x)
    size = padded(points, config.batch_size) if config.noise_multiplier else config.batch_size
    batch = jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype)

    def backward(params: Any, rest: Any, batch: jax.Array, key: jax.Array) -> Any:
        return jax.vjp(lambda params: model.train_fn({**rest, "params": params}, batch, key)[0], params)[1]

    residuals = jax.eval_shape(backward, variables["params"], variables, batch, key)
    # Going backward, the largest of the residuals has its gradient beside it.
    largest = max(tree_bytes(leaf) for leaf in jax.tree.leaves(residuals))
    gradients = (size if config.noise_multiplier else 1) * tree_bytes(variables["params"])
    step = gradients + tree_bytes(residuals) + largest
    if config.stop_at_gap:
        several = jax.ShapeDtypeStruct((min(CHUNK, points), *x.shape[1:]), x.dtype)
        observe = jax.make_jaxpr(jax.vmap(model.logits_fn, (None, 0)))(variables, several)
        step = max(step, _widest(observe.jaxpr))
    return tree_bytes(state) + points, step + 16 * points


def _widest(jaxpr: Any) -> int:
    """Bytes that the widest equation of a program reads and writes, those in its inner programs too."""
    found = [0]
    for equation in jaxpr.eqns:
        found.append(sum(tree_bytes(one.aval) for one in (*equation.invars, *equation.outvars)))
        inner = [getattr(one, "jaxpr", one) for one in jax.tree.leaves(tuple(equation.params.values()))]
        found += [_widest(one) for one in inner if hasattr(one, "eqns")]
    return max(found)


def tree_bytes(tree: Any) -> int:
    """Bytes of all leaves, arrays or their shapes and types."""
    leaves = (leaf for leaf in jax.tree.leaves(tree) if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def models_a_device(model: Model, x: np.ndarray, config: TrainConfig) -> int:
    """How many models run together on a device.

    On the CPU it follows from the network, the settings and the size of the pool alone, so that a model comes
    out the same to the bit on any machine of that kind: many small models in one batched computation, large
    ones in turn, each on a core. On an accelerator it is the largest power of two up to 64 that fits.
    """
    held, step = model_bytes(model, x, config)
    if jax.default_backend() == "cpu":
        return _TOGETHER_CPU if held + step < _SMALL else 1
    together = _TOGETHER
    while together > 1 and together * (held + step) > _SHARE * free_bytes() / jax.local_device_count():
        together //= 2
    return together


def free_bytes() -> int:
    """Free memory of all local devices together; of the host where the devices are its cores."""
    stats = [device.memory_stats() for device in jax.local_devices()]
    if all(stats):
        return sum(each["bytes_limit"] - each["bytes_in_use"] for each in stats)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def choose_block(
    model: Model, x: np.ndarray, config: TrainConfig, *, block: int | None, free: int | None = None
) -> int:
    """How many models to train between two writes to disk.

    Args:
      model: the network.
      x: features of the pool [points, ...].
      config: how to train.
      block: the wanted number; None: as many as fit, 1,024 at most.
      free: bytes; what is free now if None.

    Returns:
      The number of models.

    Raises:
      UsageError: they do not fit; it says how much memory they take and how many would fit.
    """
    free = free_bytes() if free is None else free
    held, step = model_bytes(model, x, config)
    lanes = jax.local_device_count() * models_a_device(model, x, config)
    shared = tree_bytes(x) * jax.local_device_count()
    left = _SHARE * free - shared - lanes * step
    # What is on the devices comes to the host when a block is written.
    each = 2 * held if jax.default_backend() == "cpu" else held
    fitting = int(left // each)
    if fitting < lanes and (block is None or block > fitting):
        need = shared + lanes * (step + each)
        raise UsageError(
            f"{lanes} models in training take about {_gib(need)}, of {_gib(free)} free: "
            "use a smaller network, batch_size or points, or a larger machine"
        )
    if block is None:
        block = min(fitting // lanes * lanes, _MOST_BLOCK)
    if block < 1:
        raise fail("block", block, "must be at least 1")
    if block > fitting:
        need = shared + lanes * step + block * each
        raise fail("block", block, f"takes about {_gib(need)}, of {_gib(free)} free; {fitting} models fit")
    return block


def _gib(count: float) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**28 else f"{count / 2**20:,.1f} MiB"
