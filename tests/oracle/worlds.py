"""Small services whose every number can be followed."""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.oracle import ExplanationPart, Release, Service, oracle

WEIGHTS = np.array([[1.0, -1.0, 0.5], [0.5, 2.0, -1.5], [-1.0, 0.3, 0.7], [0.2, -0.4, 1.1]], np.float32)


def linear(variables, x):
    return x.reshape(-1) @ variables


def offered(
    explainer="gradient", *, prediction="vector", explained_class="predicted", guard="none", **options
):
    """A linear model of 4 features and 3 classes behind an oracle."""
    parts = () if explainer is None else (ExplanationPart(explainer, explained_class, guard),)
    service = Service(linear, jnp.asarray(WEIGHTS), **options.pop("policy", {}))
    return oracle(service, Release(prediction, parts), key=jax.random.key(3), **options)


def points(count=20, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
