"""How far a stage is: loops tell, and whoever watches draws. Nobody need watch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Tell = Callable[[float], None]

_TELL: ContextVar[Tell] = ContextVar("tell", default=lambda share: None)


@contextmanager
def watched_by(tell: Tell) -> Iterator[None]:
    """Inside, `tell` is called with the share of the current stage that is done, 0 to 1."""
    token = _TELL.set(tell)
    try:
        yield
    finally:
        _TELL.reset(token)


def track(items: Sequence[Item]) -> Iterator[Item]:
    """The items, telling after each how far they are; a loop inside a loop is a part of one item of the outer."""
    tell = _TELL.get()
    for done, item in enumerate(items):
        with watched_by(_part_of(tell, done, len(items))):
            yield item
        tell((done + 1) / len(items))


def _part_of(tell: Tell, done: int, count: int) -> Tell:
    return lambda share: tell((done + share) / count)
