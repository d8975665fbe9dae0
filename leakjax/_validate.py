"""Checks that name the argument, its value and the rule that it broke.

Everything a user can mend is a `UsageError`: one line, no traceback in the binaries. Checks of values look at
concrete values only, so that a hyperparameter may be traced (jit, vmap) without a change to the caller.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import jax


class UsageError(ValueError):
    """An argument, flag or file that the user can mend; the message is one line that says how."""


def is_concrete(value: Any) -> bool:
    """Whether `value` has a value now, so that a check may look at it (False inside a jax transformation)."""
    return not isinstance(value, jax.core.Tracer)


def fail(name: str, value: Any, rule: str) -> UsageError:
    """The error that says that `name` has a `value` that breaks a `rule`; for the caller to raise."""
    return UsageError(f"{name}={value!r}: {rule}")


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Raises UsageError with the list and the nearest name unless `value` is among `allowed`."""
    names = list(allowed)
    if value in names:
        return
    near = difflib.get_close_matches(value, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise fail(name, value, f"must be one of {', '.join(names)}{hint}")


def at_least(name: str, value: Any, least: float) -> None:
    """Raises UsageError unless `value` is a finite number of at least `least`; a traced value passes."""
    if is_concrete(value) and not (math.isfinite(value) and value >= least):
        raise fail(name, value, f"must be at least {least}")


def positive(name: str, value: Any) -> None:
    """Raises UsageError unless `value` is a finite number above 0; a traced value passes."""
    if is_concrete(value) and not (math.isfinite(value) and value > 0):
        raise fail(name, value, "must be above 0")


def same_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...], of: str) -> None:
    """Raises UsageError unless `shape` equals `expected`, the shape of what `of` names."""
    if tuple(shape) != tuple(expected):
        raise fail(name, tuple(shape), f"must have the shape of {of}, {tuple(expected)}")
