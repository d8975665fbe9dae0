"""Replies of models that know by heart what they were trained on, for tests of attacks."""

import numpy as np
from scipy.special import log_softmax

from leakjax.attack.replies import Replies

MODELS, POINTS, CLASSES, FEATURES, QUERIES = 16, 120, 4, 6, 5


def replied(kind="leaky", seed=0, models=MODELS, points=POINTS, strength=2.0):
    """Membership [models, points] and replies that leak it: "leaky", "silent", "constant" or "jittered" ones."""
    generator = np.random.default_rng(seed)
    membership = generator.random((models, points)) < 0.5
    label = generator.integers(0, CLASSES, size=points)
    own = np.eye(CLASSES)[label]
    strength = strength if kind == "leaky" else 0.0
    gain = strength * membership[..., None]

    def around(value, *shape):
        noise = generator.normal(size=(models, points, *shape))
        scale = {"constant": 0.0, "jittered": 1e-7}.get(kind, 1.0)
        return value + scale * noise

    logits = around(own[None], CLASSES) + gain * own
    queries = around(own[None, :, None], QUERIES, CLASSES) + (gain * own)[:, :, None]
    # Members' maps are shorter, and lie along the first feature.
    maps = around(0.7, FEATURES) * (1 - 0.25 * gain)
    maps[..., 0] += gain[..., 0]
    x = generator.normal(size=(points, FEATURES))
    number = around(0.0) + gain[..., 0]
    arrays = (log_softmax(logits, axis=-1), x, maps, log_softmax(queries, axis=-1), number)
    logs, x, maps, queries, number = (np.asarray(each, np.float32) for each in arrays)
    return membership, Replies(logs, label, x, maps, queries, {"number": number})
