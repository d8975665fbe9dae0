"""How concentrated a map is: Gini sparseness and entropy, whatever the model does."""

import jax
import jax.numpy as jnp

# As Quantus adds it, so that a map of zeros counts as even.
_EVEN = 1e-7


def gini_sparseness(attribution: jax.Array) -> jax.Array:
    """The Gini coefficient of the magnitudes.

    Args:
      attribution: any shape.

    Returns:
      0 for an even map, (n - 1) / n for one value other than 0. Independent normal values have sqrt(2) - 1.

    Source: Chalasani et al. (arXiv 1810.06583), as Quantus has it.
    """
    values = jnp.sort(jnp.abs(jnp.ravel(attribution)) + _EVEN)
    values = values / values[-1]
    weight = 2 * jnp.arange(1, values.size + 1) - values.size - 1
    return jnp.sum(weight * values) / (values.size * values.sum())


def entropy(attribution: jax.Array) -> jax.Array:
    """Entropy of the shares that the values have in the sum of magnitudes.

    Args:
      attribution: any shape.

    Returns:
      In nats: log n for an even map, 0 for one value other than 0.

    Source: Bhatt et al. (arXiv 2005.00631), definition 4, "complexity", as Quantus has it.
    """
    values = jnp.abs(jnp.ravel(attribution))
    largest = values.max()
    values = jnp.where(largest > 0, values / jnp.where(largest > 0, largest, 1), 1)
    share = values / values.sum()
    return -jnp.sum(jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1)), 0))
