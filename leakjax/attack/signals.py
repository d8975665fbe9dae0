"""What an attacker reads off one answer of the model: scalar signals of a prediction and of an attribution."""

import jax
import jax.numpy as jnp

# Below this an attribution counts as zero: its logarithms must stay finite.
_FLOOR = 1e-12


def logit_confidence(logits: jax.Array, label: jax.Array) -> jax.Array:
    """The log-odds of `label`, log(p / (1 - p)): the signal whose distribution over models is nearest to Gaussian.

    Args:
      logits: [classes], of one example.
      label: integer scalar, the true class or, for an attacker who does not know it, the predicted one.

    Returns:
      A scalar; stable where p rounds to 0 or 1.

    Source: Carlini et al., "Membership Inference Attacks From First Principles" (arXiv 2112.03570), section V-B.
    """
    own = jax.nn.one_hot(label, logits.shape[-1], dtype=bool)
    others = jax.nn.logsumexp(jnp.where(own, -jnp.inf, logits))
    return jnp.sum(jnp.where(own, logits, 0.0)) - others


def cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
    """The loss of one example, in nats. Args: logits [classes], label integer scalar. Returns: a scalar."""
    own = jax.nn.one_hot(label, logits.shape[-1], dtype=bool)
    return -jnp.sum(jnp.where(own, jax.nn.log_softmax(logits), 0.0))


ATTRIBUTION_SIGNALS = ("log_l1", "log_l2", "log_linf", "log_variance")


def attribution_signals(attribution: jax.Array) -> jax.Array:
    """The scalar signals of one attribution map, in the order of `ATTRIBUTION_SIGNALS`.

    Norms and the variance of a gradient are what Shokri, Strobel & Zick (arXiv 1907.00164, section 4) threshold.

    Args:
      attribution: the map of one example, any shape.

    Returns:
      [4], finite also for a map of zeros.
    """
    flat = jnp.abs(attribution.reshape(-1))
    values = jnp.stack([flat.sum(), jnp.sqrt(jnp.sum(flat**2)), flat.max(), jnp.var(attribution)])
    return jnp.log(values + _FLOOR)
