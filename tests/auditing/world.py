"""One small world for all tests of the audit: linear models that know by heart what they were trained on.

The models' variables hold their own membership, and a point's last feature is its number, so that an explainer
can leak as much as a test wants. The models themselves look at the other features alone.
"""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.data import Points
from leakjax.shadow import Ensemble
from leakjax.shadow.ensemble import History

MODELS, POINTS, FEATURES, CLASSES = 18, 90, 6, 2


def make_points():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(POINTS, FEATURES))
    y = (x[:, 0] + rng.normal(size=POINTS) > 0).astype(np.int32)
    x = np.column_stack([x, np.arange(POINTS)]).astype(np.float32)
    groups = {"side": np.where(rng.random(POINTS) < 0.3, "left", "right")}
    names = [f"measure {place}" for place in range(FEATURES)] + ["number"]
    return Points(x, y, CLASSES, "small", 1000 + np.arange(POINTS, dtype=np.int32), 2, groups, names)


def make_ensemble(points):
    """Each model is a ridge regression on its own half."""
    rng = np.random.default_rng(4)
    membership = rng.random((MODELS, POINTS)) < 0.5
    weights, offsets = [], []
    for rows in membership:
        design = np.column_stack([points.x[rows, :-1], np.ones(rows.sum())])
        answer = 4.0 * np.eye(CLASSES)[points.y[rows]]
        found = np.linalg.solve(design.T @ design + 0.1 * np.eye(design.shape[1]), design.T @ answer)
        weights.append(found[:-1])
        offsets.append(found[-1])
    variables = {"w": np.stack(weights), "b": np.stack(offsets), "membership": membership}
    variables = {name: np.asarray(leaf, np.float32) for name, leaf in variables.items()}
    none = np.zeros((MODELS, 0), np.float32)
    return Ensemble(variables, membership, np.arange(MODELS, dtype=np.int32), History(none, none))


def logits_fn(variables, x):
    return x[:-1] @ variables["w"] + variables["b"]


def is_member(variables, x):
    return jnp.sum(jnp.where(jnp.arange(POINTS) == x[-1], variables["membership"], 0.0))


def leaky(variables, x, target, *, key, segments=None):
    """Says outright who is a member, and beside it something that differs between models and points."""
    return is_member(variables, x) + 0.1 * jax.random.normal(key, x.shape)


def direction(variables, x, target, *, key, segments=None):
    """Members' maps point along the first axis and are long, the others' along the second and are longer."""
    inside = is_member(variables, x)
    axis = jnp.where(inside > 0, jnp.eye(len(x))[0], jnp.eye(len(x))[1])
    return (3 - inside) * (axis + 0.3 * jax.random.normal(key, x.shape))


def gradient(variables, x, target, *, key, segments=None):
    return jax.grad(lambda x: logits_fn(variables, x)[target])(x)


EXPLAINERS = {"leaky": leaky, "direction": direction, "gradient": gradient}
CLIP, HARDENED = "clip_norm(1.0)", "clip_norm(1.0)+gaussian_noise(3.0)"
