"""Checks that name the argument, its value and the rule that it broke.

Everything a user can mend is a `UsageError`: one line, no traceback in the binaries. Checks of values look at
concrete values only, so that a hyperparameter may be traced (jit, vmap) without a change to the caller.
"""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

_SEPARATORS = str.maketrans("", "", "_- ")


class UsageError(ValueError):
    """An argument, flag or file that the user can mend; the message is one line that says how."""


def is_concrete(value: Any) -> bool:
    """Whether `value` has a value now, so that a check may look at it (False inside a jax transformation)."""
    return not isinstance(value, jax.core.Tracer)


def fail(name: str, value: Any, rule: str) -> UsageError:
    """The error that says that `name` has a `value` that breaks a `rule`; for the caller to raise."""
    return UsageError(f"{name}={value!r}: {rule}")


def nearest(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """A hint at the known name that is meant, as "; did you mean 'gradient'?", or "" where none is near.

    Args:
      name: what was written.
      known: the names that there are.
      aliases: what others call them, without underscores and in small letters.
    """
    bare = name.lower().translate(_SEPARATORS)
    others = {other.translate(_SEPARATORS): other for other in known} | dict(aliases or {})
    near = [bare] if bare in others else difflib.get_close_matches(bare, others, n=1)
    return f"; did you mean {others[near[0]]!r}?" if near else ""


def one_of(name: str, value: str, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
    """Raises UsageError with the list and the nearest name unless `value` is among `allowed`."""
    names = list(allowed)
    if value not in names:
        near = nearest(value, names, aliases) if isinstance(value, str) else ""
        rule = f"must be one of {', '.join(names)}{near}"
        raise fail(name, value, rule)


def distinct(name: str, given: Sequence[str]) -> None:
    """Raises UsageError unless all names are different: of two under one name, one would stand for both."""
    for each in given:
        if given.count(each) > 1:
            raise fail(name, each, "is given twice; give each a name of its own, once")


def at_least(name: str, value: Any, least: float) -> None:
    """Raises UsageError unless `value` is a finite number of at least `least`; a traced value passes."""
    if is_concrete(value) and not (math.isfinite(_number(name, value)) and value >= least):
        raise fail(name, value, f"must be at least {least}")


def whole(name: str, value: Any) -> None:
    """Raises UsageError unless `value` is a whole number of Python or NumPy; True and False are none."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise fail(name, value, "must be a whole number")


def a_count(name: str, value: Any, least: int = 1) -> None:
    """Raises UsageError unless `value` is a whole number of at least `least`."""
    whole(name, value)
    at_least(name, value, least)


def seed(name: str, value: int) -> None:
    """Raises UsageError unless `value` is a seed that no other shares: jax keeps 32 bits of it."""
    if not 0 <= value < 2**32:
        raise fail(name, value, "must be in 0..4294967295")


def positive(name: str, value: Any) -> None:
    """Raises UsageError unless `value` is a finite number above 0; a traced value passes."""
    if is_concrete(value) and not (math.isfinite(_number(name, value)) and value > 0):
        raise fail(name, value, "must be above 0")


def same_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...], of: str) -> None:
    """Raises UsageError unless `shape` equals `expected`, the shape of what `of` names."""
    if tuple(shape) != tuple(expected):
        raise fail(name, tuple(shape), f"must have the shape of {of}, {tuple(expected)}")


def yes_or_no(name: str, value: Any) -> np.ndarray:
    """A bool array of zeros and ones, or of True and False.

    Raises:
      UsageError: it holds anything else; probabilities are no memberships.
    """
    try:
        found = np.asarray(value)
    except ValueError:
        raise fail(name, type(value).__name__, "must hold rows of one length") from None
    if found.dtype.kind == "b":
        return found
    if found.dtype.kind not in "iuf" or not np.isin(found, (0, 1)).all():
        wrong = found[~np.isin(found, (0, 1))].flat[0] if found.dtype.kind in "iuf" else found.dtype
        raise fail(name, str(wrong), "must hold True and False, or 1 and 0, alone")
    return found.astype(bool)


def _number(name: str, value: Any) -> Any:
    try:
        math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        raise fail(name, value, "must be a number") from None
    return value
