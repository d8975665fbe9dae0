"""The networks that extraction attacks copy."""

from typing import Any

import jax
import numpy as np
from flax import linen as nn

from leakjax import shadow
from leakjax.data import Points
from leakjax.models import Model, from_flax


class Relu(nn.Module):
    """One hidden layer of ReLU units."""

    classes: int
    units: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps examples [batch, ...], flattened, to logits [batch, classes]."""
        hidden = nn.relu(nn.Dense(self.units)(x.reshape(x.shape[0], -1)))
        return nn.Dense(self.classes)(hidden)


def relu(classes: int, units: int) -> Model:
    """A network with one hidden layer of ReLU units.

    Args:
      classes: number of logits.
      units: of the hidden layer.
    """
    return from_flax(Relu(classes, units))


def trained_one(
    model: Model, points: Points, member: np.ndarray, config: shadow.TrainConfig, key: jax.Array, number: int
) -> Any:
    """The variables of one network, trained on its members.

    Args:
      model: which.
      points: the pool.
      member: bool [points].
      config: how.
      key: of the training.
      number: of the network, folded into the key.
    """
    ensemble = shadow.train_ensemble(
        model,
        points.x,
        points.y,
        config,
        key=key,
        membership=member[None],
        ids=np.array([number], np.int32),
    )
    return jax.tree.map(lambda leaf: leaf[0], ensemble.variables)
