"""The fields of a document: frozen dataclasses whose fields say what they mean, and in which unit."""

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

_MEANING, _UNIT = "meaning", "unit"


class Described(NamedTuple):
    """One field of a document.

    Attributes:
      name: its name, in Python and in JSON.
      hint: its resolved type hint.
      meaning: what it means, as a clause.
      unit: its unit, "" where it has none.
    """

    name: str
    hint: Any
    meaning: str
    unit: str


def described(meaning: str, unit: str = "", *, default: Any = dataclasses.MISSING) -> Any:
    """A field of a document.

    Args:
      meaning: what it means, as a clause: "share of members caught".
      unit: its unit, where it has one.
      default: its value in Python where none is given; a document always holds every field.

    Returns:
      A dataclass field.
    """
    return dataclasses.field(default=default, metadata={_MEANING: meaning, _UNIT: unit})


def aside(*, default: Any) -> Any:
    """A field that travels with a document in Python and is no part of it, nor of comparisons."""
    return dataclasses.field(default=default, compare=False)


@typing.dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(described, aside))
def document(*, kw_only: bool = True) -> Callable[[type[T]], type[T]]:
    """Makes a class a frozen dataclass of `described` fields.

    Args:
      kw_only: whether its values are given by name alone.
    """
    return dataclasses.dataclass(frozen=True, kw_only=kw_only)


@functools.cache
def fields_of(cls: type) -> tuple[Described, ...]:
    """The fields of a dataclass that its document holds, base classes first."""
    hints = typing.get_type_hints(cls)
    return tuple(
        Described(field.name, hints[field.name], field.metadata[_MEANING], field.metadata[_UNIT])
        for field in dataclasses.fields(cls)
        if _MEANING in field.metadata
    )


def summary_of(cls: type) -> str:
    """The first line of a dataclass's docstring."""
    return (cls.__doc__ or "").strip().splitlines()[0]
