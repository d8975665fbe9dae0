"""What Shokri, Strobel & Zick read off a model's answer: the 1-norm of its gradient, the variance of its prediction."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.chunks import chunk_size
from leakjax.auditing.in_cache import at_all
from leakjax.explain.types import LogitsFn
from leakjax.models.model import Variables


class Read(NamedTuple):
    """Numbers of every answer, float32 [models, points].

    Attributes:
      norm: 1-norm of the gradient of the predicted class's probability.
      norm_of_logit: 1-norm of the gradient of its logit.
      variance: of the probabilities over the classes.
      loss: cross-entropy of the true class.
      correct: 1 where the predicted class is the true one, 0 elsewhere.
    """

    norm: Any
    norm_of_logit: Any
    variance: Any
    loss: Any
    correct: Any


def read(logits_fn: LogitsFn, variables: Variables, x: np.ndarray, y: np.ndarray) -> Read:
    """Asks every model about every point.

    Args:
      logits_fn: logits [classes] of one example.
      variables: leaves [models, ...].
      x: [points, ...].
      y: int [points].

    Returns:
      `Read`.
    """

    def of_answer(own: Variables, x: jax.Array, y: jax.Array) -> Read:
        logits, pull = jax.vjp(lambda x: logits_fn(own, x), x)
        shares = jax.nn.softmax(logits)
        named = jax.nn.one_hot(jnp.argmax(logits), len(logits))
        size = lambda cotangent: jnp.abs(pull(cotangent)[0]).sum()
        return Read(
            size(shares * named * (1 - shares) - shares * (1 - named) * (shares * named).sum()),
            size(named),
            shares.var(),
            -jax.nn.log_softmax(logits)[y],
            (jnp.argmax(logits) == y).astype(jnp.float32),
        )

    program = jax.jit(at_all(of_answer, (0, None, None), (None, 0, 0)))
    models = len(jax.tree.leaves(variables)[0])
    size = min(len(x), chunk_size(models, x[0].size))
    parts = []
    for start in range(0, len(x), size):
        rows = np.arange(start, start + size) % len(x)  # wraps, so that one size is compiled
        found = program(variables, x[rows], y[rows])
        parts.append(jax.tree.map(lambda leaf, s=start: np.asarray(leaf)[:, : len(x) - s], found))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)
