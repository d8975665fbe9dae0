"""A small world that nobody trained: 12 features, 3 classes, a network of drawn weights."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax.monitoring.world import World, cells_of

FEATURES, CLASSES, HIDDEN, RECORDS = 12, 3, 10, 90


def drawn_world():
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(CLASSES, FEATURES))
    label = np.repeat(np.arange(CLASSES), RECORDS // CLASSES)
    draw = lambda: (centres[label] + 0.5 * generator.normal(size=(RECORDS, FEATURES))).astype(np.float32)
    owned, pool = draw(), draw()
    network = {
        "inside": {
            "kernel": generator.normal(size=(1, FEATURES, HIDDEN)) / 2,
            "bias": generator.normal(size=(1, HIDDEN)),
        },
        "outside": {"kernel": generator.normal(size=(1, HIDDEN, CLASSES)), "bias": np.zeros((1, CLASSES))},
    }
    number = np.bincount(label)
    spread = float(owned.std())
    return World(
        jnp.asarray(owned),
        jnp.asarray(label, jnp.int32),
        jnp.asarray(pool),
        jnp.asarray(label, jnp.int32),
        jnp.asarray(np.cumsum(number) - number, jnp.int32),
        jnp.asarray(number, jnp.int32),
        float(min(owned.min(), pool.min())),
        float(max(owned.max(), pool.max())),
        spread,
        0.1 * spread,
        cells_of((FEATURES,)),
        {"params": jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), network)},
        np.ones(1),
    )


@pytest.fixture(scope="session")
def world():
    return drawn_world()
