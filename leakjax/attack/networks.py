"""Small attack networks: trained on shadows in the role of targets, judged on one that is held out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import rankdata

from leakjax.attack.registry import Lesson

Layers = list[tuple[jax.Array, jax.Array]]
Apply = Callable[[Any, Any], jax.Array]  # weights, inputs with leaves [samples, ...] -> log-odds [samples]
_BATCH = 128
# Adagrad from sums of 0: how Shokri, Strobel & Zick (section 4.4) train the networks whose recipe they name.
_RATE = 0.01


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
    """Trains on the shadows of a lesson; the epoch is the one that orders the last shadow best, which is held out.

    By order, not by loss: after a few hundred steps a network is so sure of the points it has learned that the loss of
    others is above log 2, while it still puts more members than others on top.

    Inputs are divided by their root mean square over all shadows, which is blind to membership, and an input that is
    not finite is 0.

    Args:
      init: (key, inputs with leaves [samples, ...]) -> weights.
      apply: see `Apply`.
      lesson: its `reduced` is a tree with leaves [points, shadows, ...]. Of a single column (a known
        half) every fourth point is held out instead.
      epochs: the most.

    Returns:
      `Trained`; without weights where no point is left to learn from or one of the two kinds to judge by is missing.
    """
    scales = jax.tree.map(_scale, lesson.reduced)
    flat = lambda leaf: leaf.reshape(-1, *leaf.shape[2:])
    inputs = jax.tree.map(lambda leaf, scale: flat(np.nan_to_num(leaf / scale)), lesson.reduced, scales)
    answered = np.all([_finite(leaf) for leaf in jax.tree.leaves(lesson.reduced)], axis=0)
    usable = lesson.valid & answered
    held = np.zeros(usable.shape, bool)
    if usable.shape[1] > 1:
        held[:, -1] = True
    else:
        held[1::4] = True
    usable, held, member = usable.ravel(), held.ravel(), lesson.member.ravel().astype(np.float32)
    learn, check = np.flatnonzero(usable & ~held), np.flatnonzero(usable & held)
    if len(learn) == 0 or len(np.unique(member[check])) < 2:
        return Trained(None, scales)
    key_init, key = jax.random.split(lesson.key)
    weights = init(key_init, inputs)
    optimizer = optax.adagrad(_RATE, initial_accumulator_value=0.0)
    state = optimizer.init(weights)

    def loss(weights: Any, batch: Any, member: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(apply(weights, batch), member).mean()

    # Steps one by one: convolutions inside a loop of the compiler's are many times slower on a CPU.
    @jax.jit
    def step(weights: Any, state: Any, batch: Any, member: jax.Array) -> tuple[Any, Any]:
        updates, state = optimizer.update(jax.grad(loss)(weights, batch, member), state)
        return optax.apply_updates(weights, updates), state

    answer = jax.jit(apply)
    size = min(_BATCH, len(learn))
    at = lambda rows: jax.tree.map(lambda leaf: leaf[rows], inputs)
    best, highest = None, -1.0
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    for _ in range(epochs):
        order = generator.permutation(learn)
        for start in range(0, len(order) - size + 1, size):
            rows = order[start : start + size]
            weights, state = step(weights, state, at(rows), member[rows])
        reached = _auc(np.asarray(answer(weights, at(check))), member[check] > 0)
        if reached > highest:
            best, highest = weights, reached
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


def _auc(scores: np.ndarray, member: np.ndarray) -> float:
    """How often a member has the higher score, ties by halves: [points], bool [points]."""
    inside = int(member.sum())
    over = rankdata(scores)[member].sum() - inside * (inside + 1) / 2
    return float(over / (inside * (len(member) - inside)))


def _scale(leaf: np.ndarray) -> np.float32:
    finite = leaf[np.isfinite(leaf)].astype(np.float64)
    largest = np.abs(finite).max(initial=0.0)
    return np.float32(largest * np.sqrt(np.mean((finite / largest) ** 2))) if largest > 0 else np.float32(1)


def _finite(leaf: np.ndarray) -> np.ndarray:
    return np.isfinite(leaf).reshape(*leaf.shape[:2], -1).all(axis=-1)
