"""Learned inversion: a decoder from answers to inputs, trained on the attacker's own data and the answers to them."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from leakjax._validate import fail
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, and data of its own of the same or another distribution"
VIEWS = ("prediction", "both")


class Decoder(nn.Module):
    """Dense layers from an answer to the features of an input."""

    features: int
    widths: tuple[int, ...] = (256, 256)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps answers [batch, numbers] to inputs [batch, features] in [0, 1]."""
        for width in self.widths:
            x = nn.gelu(nn.Dense(width)(x))
        return nn.sigmoid(nn.Dense(self.features)(x))


class Inverter:
    """Reads inputs off answers."""

    def __init__(
        self,
        view: str,
        classes: int,
        shape: tuple[int, ...],
        params: Any,
        mean: np.ndarray,
        scale: np.ndarray,
    ) -> None:
        """Made by `learn`."""
        self._view, self._classes, self._shape, self._params = view, classes, shape, params
        self._mean, self._scale = mean, scale

    def __call__(self, answer: Answer) -> np.ndarray:
        """Inputs [queries, ...] in [0, 1]."""
        numbers = (_numbers(answer, self._view, self._classes) - self._mean) / self._scale
        found = Decoder(int(np.prod(self._shape))).apply(self._params, jnp.asarray(numbers, jnp.float32))
        return np.asarray(found).reshape(-1, *self._shape)


def learn(
    oracle: Oracle[Answer],
    own: np.ndarray,
    *,
    view: str,
    classes: int,
    key: jax.Array,
    epochs: int = 150,
    batch: int = 64,
    rate: float = 2e-3,
) -> Inverter:
    """Trains a decoder on the answers to the attacker's own data.

    Args:
      oracle: what is asked.
      own: [points, ...] in [0, 1].
      view: "prediction" or "both".
      classes: how many there are.
      key: of the decoder's start and its batches.
      epochs: passes over the answered points.
      batch: points of a step.
      rate: of Adam, falling to 0.

    Returns:
      The inverter.

    Raises:
      UsageError: nothing was answered.
    """
    answer = oracle.ask(own, plain=view == "prediction")
    numbers = _numbers(answer, view, classes)
    told = answer.answered & np.isfinite(numbers).all(axis=1)
    if told.sum() < 2:
        raise fail("answered", int(told.sum()), f"of {len(own)} queries must be at least 2 to learn from")
    numbers, wanted = numbers[told], own[told].reshape(int(told.sum()), -1)
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0) + 1e-6
    x, y = jnp.asarray((numbers - mean) / scale, jnp.float32), jnp.asarray(wanted, jnp.float32)
    start_key, order_key = jax.random.split(key)
    decoder = Decoder(wanted.shape[1])
    params = _train(
        decoder, epochs, min(batch, len(x)), rate, decoder.init(start_key, x[:1]), x, y, order_key
    )
    return Inverter(view, classes, own.shape[1:], params, mean, scale)


@functools.partial(jax.jit, static_argnames=("decoder", "epochs", "batch", "rate"))
def _train(
    decoder: Decoder,
    epochs: int,
    batch: int,
    rate: float,
    params: Any,
    x: jax.Array,
    y: jax.Array,
    key: jax.Array,
) -> Any:
    """Parameters that lead from answers x to inputs y."""
    steps = max(1, len(x) // batch)
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, epochs * steps))

    def loss(params: Any, rows: jax.Array) -> jax.Array:
        return jnp.mean((jnp.asarray(decoder.apply(params, x[rows])) - y[rows]) ** 2)

    def epoch(carry: Any, key: jax.Array) -> tuple[Any, None]:
        order = jax.random.permutation(key, len(x))[: steps * batch]
        return jax.lax.scan(step, carry, order.reshape(steps, -1))[0], None

    def step(carry: Any, rows: jax.Array) -> tuple[Any, None]:
        params, state = carry
        change, state = optimizer.update(jax.grad(loss)(params, rows), state, params)
        return (optax.apply_updates(params, change), state), None

    return jax.lax.scan(epoch, (params, optimizer.init(params)), jax.random.split(key, epochs))[0][0]


def _numbers(answer: Answer, view: str, classes: int) -> np.ndarray:
    """An answer as numbers [queries, numbers]: the class, what is shown of probabilities, and the maps."""
    shown = answer.prediction
    parts = [np.maximum(shown.probabilities, -20.0)]
    if shown.classes.shape[1] and shown.classes.shape[1] < classes:
        parts.append((shown.classes[:, :1] == np.arange(classes)).astype(float))
    if view == "both":
        parts += [each.reshape(len(each), -1) for each in needed.explanations(answer)]
    else:
        needed.prediction(answer)
    return np.concatenate(parts, axis=1).astype(np.float64)
