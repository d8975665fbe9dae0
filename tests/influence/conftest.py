"""A small binary task, its trained service and an attacker's key."""

import jax
import numpy as np
import pytest

from leakjax.influence.exact import Service, serve


def task(points: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((points, features))
    chance = 1 / (1 + np.exp(-(x @ rng.standard_normal(features)) - 0.3))
    return x, (rng.random(points) < chance).astype(int)


@pytest.fixture(scope="session")
def service() -> Service:
    """60 records of 6 features."""
    return serve(*task(60, 6))


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(7)
