"""Who is let in: the budget of queries, and a monitor's alarms account by account."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from leakjax._validate import fail, one_of
from leakjax.oracle.answer import ANSWERED, CACHED, COARSENED, REFUSED

ON_ALARM = {"refuse": REFUSED, "coarsen": COARSENED, "cache": CACHED}


class Watches(Protocol):
    """A query monitor: pure functions over one account's state, and the score above which a query is an alarm."""

    @property
    def init(self) -> Callable[[], Any]:
        """`init() -> state`, of an account that has asked nothing."""

    @property
    def update(self) -> Callable[[Any, jax.Array], tuple[Any, jax.Array]]:
        """`update(state, x) -> (state, score)`, traceable, of ONE query, float32 [features]."""

    @property
    def threshold(self) -> Any:
        """A score above this is an alarm."""


class Stateless(NamedTuple):
    """A monitor that looks at each query alone.

    Attributes:
      init: returns the empty state.
      update: gives a query that must not be answered as usual the score 1, any other 0.
      threshold: 0.5.
    """

    init: Callable[[], Any]
    update: Callable[[Any, Any], tuple[Any, Any]]
    threshold: float = 0.5


def stateless(alarming: Callable[[Any], Any]) -> Stateless:
    """The monitor of a rule.

    Args:
      alarming: traceable, whether ONE query, float32 [features], is an alarm.
    """
    return Stateless(tuple, lambda state, x: (state, jax.numpy.where(alarming(x), 1.0, 0.0)))


class Gate:
    """Which queries of a batch are let through, and what becomes of the others."""

    def __init__(self, budget: int | None, monitor: Watches | None, on_alarm: str) -> None:
        """Args: as of `oracle`."""
        if budget is not None and budget < 1:
            raise fail("budget", budget, "must be at least 1 query, or None for any number")
        one_of("on_alarm", on_alarm, ON_ALARM)
        self.left, self._action = budget, ON_ALARM[on_alarm]
        self._monitor = monitor
        self._states: dict[int, Any] = {}
        if monitor is not None:
            self._over = jax.jit(lambda state, xs: jax.lax.scan(monitor.update, state, xs))

    @property
    def watched(self) -> bool:
        """Whether a monitor looks at the queries."""
        return self._monitor is not None

    def actions(self, x: np.ndarray, account: np.ndarray) -> np.ndarray:
        """The action of each query [queries] of x [queries, ...] by accounts [queries], and counts them."""
        action = np.full(len(x), ANSWERED, dtype="<U9")
        if self._monitor is not None:
            watched = np.asarray(x, np.float32).reshape(len(x), -1)
            # A monitor of all accounts together has one state for them.
            states = np.zeros_like(account) if getattr(self._monitor, "shared", False) else account
            for one in np.unique(states):
                rows = np.flatnonzero(states == one)
                action[rows[self._alarms(int(one), watched[rows])]] = self._action
        if self.left is not None:
            asked = np.arange(len(x)) >= self.left  # whatever became of them, they were asked
            action[asked] = REFUSED
            self.left = max(0, self.left - len(x))
        return action

    def _alarms(self, account: int, x: np.ndarray) -> np.ndarray:
        assert self._monitor is not None
        if account not in self._states:
            self._states[account] = self._monitor.init()
        self._states[account], scores = self._over(self._states[account], x)
        return np.asarray(scores) > np.asarray(self._monitor.threshold)
