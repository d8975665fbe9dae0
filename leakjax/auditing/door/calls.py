"""Calls of what the caller wrote: their exceptions are theirs, with a line that says whose function raised."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax

from leakjax import _validate

# What JAX raises where a function asks a traced value for its number.
_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


@contextmanager
def calling(what: str, name: str) -> Iterator[None]:
    """Around a call of a caller's own function.

    Args:
      what: the argument that it stands in.
      name: of the function.

    Raises:
      UsageError: it is not traceable, and what to wrap it in.
      Exception: its own, with a note that says which function raised.
    """
    try:
        yield
    except _validate.UsageError:
        raise
    except _UNTRACEABLE as error:
        rule = (
            "JAX cannot trace it, since it asks for values as NumPy does; write it with jax.numpy, or wrap that part: "
            "jax.pure_callback(part, jax.ShapeDtypeStruct(shape, dtype), *arrays, vmap_method='sequential')"
        )
        raise _validate.fail(what, name, rule) from error
    except Exception as error:
        error.add_note(f"raised by {name}, given as {what}")
        raise


def check_takes(
    what: str, name: str, function: Callable[..., Any], call: str, *places: None, **named: None
) -> None:
    """Raises UsageError where a caller's own function cannot be called as the audit will call it.

    Args:
      what: the argument that it stands in.
      name: of the function.
      function: it.
      call: what it is called with, in words.
      *places: one for each argument by place.
      **named: one for each argument by name.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # what says nothing of its arguments is tried
    try:
        signature.bind(*places, **named)
    except TypeError as error:
        raise _validate.fail(what, name, f"must take {call}; {error}") from None


def name_of(function: object) -> str:
    """How errors call a function."""
    return str(getattr(function, "__name__", type(function).__name__))
