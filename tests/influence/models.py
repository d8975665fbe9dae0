"""Models of the influence tests: a logistic regression and a network with one hidden layer, one logit each."""

import jax
import jax.numpy as jnp


def linear_logits(theta, x):
    return (x @ theta[:-1] + theta[-1])[None]


def network_logits(parameters, x):
    hidden = jnp.tanh(x @ parameters["hidden"]["kernel"] + parameters["hidden"]["bias"])
    return hidden @ parameters["last"]["kernel"] + parameters["last"]["bias"]


def network_start(key):
    """Parameters of 3 features and 4 hidden units."""
    keys = jax.random.split(key)
    return {
        "hidden": {"kernel": jax.random.normal(keys[0], (3, 4)), "bias": jnp.zeros(4)},
        "last": {"kernel": jax.random.normal(keys[1], (4, 1)), "bias": jnp.zeros(1)},
    }
