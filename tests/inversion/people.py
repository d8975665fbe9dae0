"""A world of people and one untrained network of two classes."""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import models, shadow
from leakjax.data import in_order
from leakjax.inversion.world import World


def people(x, columns, rng):
    """The world of x [people, features], of whom the first feature decides the class and coins the membership."""
    x = x.astype(np.float32)
    points = in_order(x, (x[:, 0] > 0).astype(np.int32), classes=2, name="people", columns=columns)
    model = models.make("mlp(widths=(8,))", 2)
    variables = model.init(jax.random.key(1), jnp.asarray(x[0]))
    return World(
        points,
        points,
        model,
        shadow.from_models([variables], rng.random((1, len(x))) < 0.5),
        jax.random.key(2),
        shadow.TrainConfig(epochs=3),
    )
