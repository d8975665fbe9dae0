"""Settings of JAX for some tests alone: what they change is as it was for those that come after."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax


@contextmanager
def during(**settings: Any) -> Iterator[None]:
    """Changes settings, and sets them back in the end.

    Args:
      **settings: by name, as `jax.config.update` takes them.
    """
    before = {name: jax.config.values[name] for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
