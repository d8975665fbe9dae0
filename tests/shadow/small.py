"""A pool, a network and a recipe that train in a moment."""

import jax
import numpy as np

from leakjax.data import membership
from leakjax.models import mlp
from leakjax.shadow import TrainConfig, train_blocks

POINTS = 40
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(POINTS, 5)).astype(np.float32)
Y = GENERATOR.integers(0, 3, POINTS).astype(np.int32)
MODEL = mlp(3, widths=(6,))
CONFIG = TrainConfig(epochs=3, batch_size=8)
KEY = jax.random.key(3)


def members(ids):
    return membership(jax.random.key(4), ids, POINTS)


def train(directory, ids, **options):
    arguments = {"model": MODEL, "x": X, "y": Y, "config": CONFIG, "key": KEY, "members": members} | options
    return train_blocks(directory, ids=ids, **arguments)


def assert_same_bits(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    pairs = zip(jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(jax.device_get(want)), strict=True)
    for (path, a), b in pairs:
        where = jax.tree_util.keystr(path)
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        assert a.tobytes() == b.tobytes(), f"{where} differs by up to {np.abs(a - b).max()}"
