"""A multilayer perceptron, of tanh units unless others are asked for."""

from collections.abc import Callable, Mapping

import jax
from flax import linen as nn
from jax import numpy as jnp

from leakjax._validate import at_least, fail, one_of
from leakjax.models.model import Model, from_flax
from leakjax.models.registry import registered

ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
    "relu": nn.relu,
}


class Mlp(nn.Module):
    """Dense layers of `widths` units with an activation, then a dense layer to `classes` logits."""

    classes: int
    widths: tuple[int, ...]
    dropout: float = 0.0
    activation: str = "tanh"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps examples [batch, ...], flattened, to logits [batch, classes]."""
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = ACTIVATIONS[self.activation](nn.Dense(width)(x))
        if self.dropout:
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.classes)(x)


@registered
def mlp(
    classes: int, *, widths: tuple[int, ...] = (128,), dropout: float = 0.0, activation: str = "tanh"
) -> Model:
    """A multilayer perceptron.

    Args:
      classes: number of logits, at least 2.
      widths: units of each hidden layer.
      dropout: share of the last hidden layer's units that are left out in training, in [0, 1).
      activation: of every hidden layer: tanh, sigmoid or relu.

    Returns:
      The model; examples of any shape are flattened.

    Raises:
      UsageError: fewer than two classes, a layer without units, a dropout outside [0, 1), an unknown activation.
    """
    at_least("classes", classes, 2)
    for width in widths:
        at_least("widths", width, 1)
    if not 0 <= dropout < 1:
        raise fail("dropout", dropout, "must be in [0, 1)")
    one_of("activation", activation, ACTIVATIONS)
    return from_flax(Mlp(classes, tuple(widths), dropout, activation))
