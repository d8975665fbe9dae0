"""What an attacker reads off one prediction of the model before anything else: how sure it is."""

import jax
import jax.numpy as jnp


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
