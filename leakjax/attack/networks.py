"""Small attack networks: trained on shadows in the role of targets, for as long as a held-out shadow gains by it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from leakjax.attack.registry import Lesson

Layers = list[tuple[jax.Array, jax.Array]]
Apply = Callable[[Any, Any], jax.Array]  # weights, inputs with leaves [samples, ...] -> log-odds [samples]
_BATCH = 128


class Trained(NamedTuple):
    """A network and the scale of its inputs; `apply` of one whose `weights` are None says 0 of everything."""

    weights: Any
    scales: Any


def dense(key: jax.Array, sizes: Sequence[int]) -> Layers:
    """Fully connected layers: He-normal weights and zero biases, one pair for each step between `sizes`."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(k, (a, b)) * jnp.sqrt(2 / a), jnp.zeros(b))
        for k, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def forward(layers: Layers, x: jax.Array) -> jax.Array:
    """Layers with a ReLU between one and the next: [samples, features] -> [samples, out]."""
    for place, (weight, bias) in enumerate(layers):
        x = x @ weight + bias[None]
        x = x if place == len(layers) - 1 else jax.nn.relu(x)
    return x


def train(init: Callable[[jax.Array, Any], Any], apply: Apply, lesson: Lesson, *, epochs: int) -> Trained:
    """Trains on the shadows of a lesson; the epoch is the one with the least loss on the last shadow, held out.

    Inputs are divided by their root mean square over all shadows, which is blind to membership, and an input that is
    not finite is 0.

    Args:
      init: (key, inputs with leaves [samples, ...]) -> weights.
      apply: see `Apply`.
      lesson: its `reduced` is a tree with leaves [points, shadows, ...]. A single column (a known half) is split into
        two halves instead.
      epochs: the most.

    Returns:
      `Trained`.
    """
    scales = jax.tree.map(_scale, lesson.reduced)
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
    inputs = jax.tree.map(lambda leaf, scale: flat(np.nan_to_num(leaf / scale)), lesson.reduced, scales)
    answered = np.all([_finite(leaf) for leaf in jax.tree.leaves(lesson.reduced)], axis=0)
    weight = (lesson.valid & answered).astype(np.float32)
    held = np.zeros(weight.shape, bool)
    if weight.shape[1] > 1:
        held[:, -1] = True
    else:
        held[1::4] = True
    weight, held, member = weight.ravel(), held.ravel(), lesson.member.ravel().astype(np.float32)
    learn, check = np.flatnonzero((weight > 0) & ~held), np.flatnonzero((weight > 0) & held)
    if min(len(learn), len(check)) == 0:
        return Trained(None, scales)
    key_init, key = jax.random.split(lesson.key)
    weights = init(key_init, inputs)
    optimizer = optax.adamw(1e-3, weight_decay=1e-3)
    state = optimizer.init(weights)

    def loss(weights: Any, batch: Any, member: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(apply(weights, batch), member).mean()

    # Steps one by one: convolutions inside a loop of the compiler's are many times slower on a CPU.
    @jax.jit
    def step(weights: Any, state: Any, batch: Any, member: jax.Array) -> tuple[Any, Any]:
        updates, state = optimizer.update(jax.grad(loss)(weights, batch, member), state, weights)
        return optax.apply_updates(weights, updates), state

    measure = jax.jit(loss)
    size = min(_BATCH, len(learn))
    at = lambda rows: jax.tree.map(lambda leaf: leaf[rows], inputs)
    # Before the first step it says nothing of any point, which no later epoch may be worse than.
    best, least = None, float(np.log(2.0))
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    for _ in range(epochs):
        order = generator.permutation(learn)
        for start in range(0, len(order) - size + 1, size):
            rows = order[start : start + size]
            weights, state = step(weights, state, at(rows), member[rows])
        reached = float(measure(weights, at(check), member[check]))
        if reached < least:
            best, least = weights, reached
    return Trained(best, scales)


def say(apply: Apply, trained: Trained, reduced: Any) -> np.ndarray:
    """The log-odds of a trained network: leaves [points, targets, ...] -> [points, targets], NaN for no answer."""
    leaves = jax.tree.leaves(reduced)
    shape = leaves[0].shape[:2]
    answered = np.all([_finite(leaf) for leaf in leaves], axis=0)
    if trained.weights is None:
        return np.where(answered, 0.0, np.nan)
    inputs = jax.tree.map(
        lambda leaf, scale: np.nan_to_num(leaf / scale).reshape(-1, *leaf.shape[2:]), reduced, trained.scales
    )
    found = np.asarray(jax.jit(apply)(trained.weights, inputs), np.float64).reshape(shape)
    return np.where(answered, found, np.nan)


def _scale(leaf: np.ndarray) -> np.float32:
    finite = leaf[np.isfinite(leaf)].astype(np.float64)
    largest = np.abs(finite).max(initial=0.0)
    return np.float32(largest * np.sqrt(np.mean((finite / largest) ** 2))) if largest > 0 else np.float32(1)


def _finite(leaf: np.ndarray) -> np.ndarray:
    return np.isfinite(leaf).reshape(*leaf.shape[:2], -1).all(axis=-1)
