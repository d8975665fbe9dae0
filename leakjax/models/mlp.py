"""A multilayer perceptron with tanh units."""

import jax
from flax import linen as nn
from jax import numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.models.model import Model, from_flax
from leakjax.models.registry import registered


class Mlp(nn.Module):
    """Dense layers of `widths` units with tanh, then a dense layer to `classes` logits."""

    classes: int
    widths: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps examples [batch, ...], flattened, to logits [batch, classes]."""
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = jnp.tanh(nn.Dense(width)(x))
        if self.dropout:
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.classes)(x)


@registered
def mlp(classes: int, *, widths: tuple[int, ...] = (128,), dropout: float = 0.0) -> Model:
    """A multilayer perceptron with tanh units.

    Args:
      classes: number of logits, at least 2.
      widths: units of each hidden layer.
      dropout: share of the last hidden layer's units that are left out in training, in [0, 1).

    Returns:
      The model; examples of any shape are flattened.

    Raises:
      UsageError: fewer than two classes, a layer without units, or a dropout outside [0, 1).
    """
    at_least("classes", classes, 2)
    for width in widths:
        at_least("widths", width, 1)
    if not 0 <= dropout < 1:
        raise fail("dropout", dropout, "must be in [0, 1)")
    return from_flax(Mlp(classes, tuple(widths), dropout))
