"""Calls of what the caller wrote: their exceptions are theirs, with a line that says whose function raised."""

from collections.abc import Iterator
from contextlib import contextmanager

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


def name_of(function: object) -> str:
    """How errors call a function."""
    return str(getattr(function, "__name__", type(function).__name__))
