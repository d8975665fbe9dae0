"""Tests of explainers compile much and compute little."""

import pytest

from tests.settings import during


# A module at a time: one of the package would last until the session ends, for a folder without __init__.py is none.
@pytest.fixture(autouse=True, scope="module")
def compile_quickly():
    """Skips the compiler's dearer passes, which these small programs do not repay."""
    with during(jax_disable_most_optimizations=True):
        yield
