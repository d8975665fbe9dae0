"""One small world for all tests of the audit: linear models that know by heart what they were trained on.

The models' variables hold their own membership, and a point's last feature is its number, so that an explainer
can leak as much as a test wants. The models themselves look at the other features alone.
"""

import jax
import jax.numpy as jnp

MODELS, POINTS, FEATURES, CLASSES = 18, 90, 6, 2


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
