"""Lists, keys and indices."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate


def listed(name: str, given: Any) -> list[Any]:
    """The items of a list of names and objects.

    Args:
      name: the argument.
      given: what stands there.

    Raises:
      UsageError: one text or one object in place of a list, or nothing in it.
    """
    if isinstance(given, str):
        raise _validate.fail(name, given, f"must be a list, as [{given!r}]")
    if isinstance(given, Set):
        raise _validate.fail(name, type(given).__name__, "has no order; must be a list, as [...]")
    # A Defense is a tuple of its own parts, and not a list of defenses.
    if isinstance(given, Mapping) or hasattr(given, "_fields") or not isinstance(given, Iterable):
        raise _validate.fail(name, type(given).__name__, "must be a list of names and objects, as [...]")
    items = list(given)
    if not items:
        raise _validate.fail(name, items, "must hold at least one")
    return items


def check_options(name: str, given: Any, kind: type) -> None:
    """Raises UsageError unless `given` is an options object of its kind."""
    if not isinstance(given, kind):
        rule = f"must be a leakjax.auditing.{kind.__name__}(...)"
        raise _validate.fail(name, type(given).__name__, rule)


def check_key(key: Any) -> None:
    """Raises UsageError unless `key` is one typed key."""
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        shown = key if isinstance(key, int) else type(key).__name__
        seed = key if isinstance(key, int) else 0
        rule = f"must be a typed key, as jax.random.key({seed}); jax.random.wrap_key_data makes one of an old key"
        raise _validate.fail("key", shown, rule)
    if key.shape != ():
        raise _validate.fail("key", key.shape, "must be one key; take one of them")


def whole_numbers(name: str, given: Any) -> np.ndarray:
    """int [n] of whole numbers.

    Args:
      name: the argument.
      given: a sequence or an array.

    Raises:
      UsageError: another shape, no numbers, numbers that are not whole or True and False.
    """
    try:
        found = np.asarray(given)
    except (TypeError, ValueError):
        found = np.asarray(None)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        shown = given if np.ndim(found) == 0 else found.tolist()
        raise _validate.fail(name, shown, "must be a list of whole numbers, as [0, 3]")
    return found.astype(int)


def check_targets(targets: Sequence[int] | np.ndarray, models: int) -> np.ndarray:
    """The targets as int [targets].

    Raises:
      UsageError: they are not whole numbers, not indices of models, none, or one is there twice.
    """
    found = whole_numbers("targets", targets)
    if found.size == 0 or found.min() < 0 or found.max() >= models:
        raise _validate.fail("targets", found.tolist(), f"must be indices of models, 0 to {models - 1}")
    if len(np.unique(found)) < len(found):
        raise _validate.fail("targets", found.tolist(), "must be different models")
    return found
