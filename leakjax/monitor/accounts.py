"""What a guard knows of accounts: a table of fixed size."""

import dataclasses
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from leakjax.monitor.monitor import State


@dataclasses.dataclass(frozen=True)
class Answered:
    """A query that was answered in full, and the answer; None where it was not kept with the state."""

    x: np.ndarray
    answer: Any = None


@dataclasses.dataclass
class Account:
    """One account.

    Attributes:
      state: of the monitors that watch it alone.
      alarmed: whether one of them has alarmed; it stays so.
      answered: the last queries that were answered in full.
    """

    state: State
    alarmed: bool = False
    answered: deque[Answered] = dataclasses.field(default_factory=deque)

    def nearest(self, x: np.ndarray) -> Answered | None:
        """The answered query that is nearest to `x` [features]; None where there is none."""
        if not self.answered:
            return None
        distances = [float(np.sum((one.x - x) ** 2)) for one in self.answered]
        return self.answered[int(np.argmin(distances))]


class Accounts:
    """The accounts that asked last; of those that are one too many, one that has not alarmed is forgotten first."""

    def __init__(self, most: int, begin: Callable[[], State], queries: int) -> None:
        """Starts empty.

        Args:
          most: how many accounts are known at a time.
          begin: the state of an account before its first query.
          queries: how many answered queries of an account are held.
        """
        self._most, self._begin, self._queries = most, begin, queries
        self._known: OrderedDict[str, Account] = OrderedDict()

    def __getitem__(self, name: str) -> Account:
        """The account of that name, from now on the one that asked last."""
        if name not in self._known:
            if len(self._known) >= self._most:
                self._forget()
            self._known[name] = self.made(self._begin())
        self._known.move_to_end(name)
        return self._known[name]

    def __len__(self) -> int:
        return len(self._known)

    def items(self) -> list[tuple[str, Account]]:
        """Names and accounts, the one that asked last at the end."""
        return list(self._known.items())

    def put(self, name: str, account: Account) -> None:
        """Puts an account at the end."""
        self._known[name] = account

    def clear(self) -> None:
        """Forgets all accounts."""
        self._known.clear()

    def drop(self, name: str) -> None:
        """Forgets an account."""
        self._known.pop(name, None)

    def made(self, state: State, alarmed: bool = False) -> Account:
        """An account that has no answered query yet."""
        return Account(state, alarmed, deque(maxlen=self._queries))

    def _forget(self) -> None:
        quiet = (name for name, account in self._known.items() if not account.alarmed)
        self.drop(next(quiet, next(iter(self._known))))
