"""Tests of explainers compile much and compute little."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def compile_quickly():
    """Skips the compiler's dearer passes, which these small programs do not repay."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
