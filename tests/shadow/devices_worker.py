"""Trains a few models on however many devices there are, and writes their weights."""

import sys

import jax
import numpy as np

from leakjax.models import cnn, mlp
from leakjax.shadow import TrainConfig, train_ensemble

if __name__ == "__main__":
    generator, ids = np.random.default_rng(0), np.arange(3, dtype=np.int32)
    x, y = (
        generator.normal(size=(40, 8, 8, 1)).astype(np.float32),
        generator.integers(0, 3, 40).astype(np.int32),
    )
    membership = generator.random((3, 40)) < 0.5
    found = []
    for model, points in ((mlp(3, widths=(8,)), x.reshape(40, -1)), (cnn(3, channels=(4, 8)), x)):
        ensemble = train_ensemble(
            model,
            points,
            y,
            TrainConfig(epochs=2, batch_size=8),
            key=jax.random.key(1),
            membership=membership,
            ids=ids,
        )
        found += [np.asarray(leaf) for leaf in jax.tree.leaves(ensemble.variables)]
    np.savez(sys.argv[1], *found, devices=jax.local_device_count())
