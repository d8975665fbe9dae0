"""A guard around the function with which a service explains: it watches every query and acts on alarms.

monitors = monitor.monitors_for(records, noise=0.02)                     # what benign queries look like
highest = monitor.highest_scores(monitors["families"], benign_streams)   # [accounts]
watching = monitor.set_threshold(monitors["families"], highest, rate=0.01)
guarded = monitor.guard(explain, [watching], on_alarm="refuse", folder="guard")
answer = guarded(x, account="user 17")                                   # Guarded(answer, action, alarms)
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import at_least, distinct, fail
from leakjax.monitor import actions, kept
from leakjax.monitor.accounts import Account, Accounts, Answered
from leakjax.monitor.monitor import Monitor, State, query_of


class Guarded(NamedTuple):
    """What a guarded service answers.

    Attributes:
      answer: of the service, as it is or coarsened, or that to an earlier query; None where it was refused.
      action: "answered", "coarsened", "cached" or "refused".
      alarms: names of the monitors whose score was above their threshold at this query.
    """

    answer: Any
    action: str
    alarms: tuple[str, ...]


class Guard:
    """A service behind monitors; made by `guard`. Threads may call it at the same time."""

    def __init__(
        self,
        explain_fn: Callable[..., Any],
        monitors: Sequence[Monitor],
        *,
        on_alarm: str,
        coarsen: Callable[[Any], Any],
        accounts: int,
        answered: int,
    ) -> None:
        """Takes what `guard` has checked."""
        self._explain, self._coarsen, self._on_alarm = explain_fn, coarsen, on_alarm
        self._own = [one for one in monitors if not one.shared]
        self._all = [one for one in monitors if one.shared]
        self._monitors = [*self._own, *self._all]
        self._limits = np.array([one.threshold for one in self._monitors], np.float64)
        self._update = jax.jit(self._updated)
        self._begun = [one.init() for one in self._own]
        self._accounts = Accounts(accounts, lambda: self._begun, answered)
        self._shared: State = [one.init() for one in self._all]
        self._lock = threading.Lock()

    def __call__(self, x: Any, *rest: Any, account: str, **options: Any) -> Guarded:
        """Answers one query, or does what was said for alarms.

        Args:
          x: the query, of as many numbers as the monitors have features.
          *rest: what the service takes beside it.
          account: who asks. An account that has alarmed stays so until it is forgiven; an alarm of a monitor of all
            accounts concerns the one query.
          **options: what the service takes beside it.

        Returns:
          `Guarded`.

        Raises:
          UsageError: x has another size or is not finite, or the account is no text; nothing is counted then.
        """
        query = query_of(self._monitors[0], x)
        if not isinstance(account, str):
            raise fail("account", account, "must be a text")
        with self._lock:
            known, alarms = self._watch(query, account)
            alarmed = known.alarmed or bool(alarms)
            before = known.nearest(query) if alarmed and self._on_alarm == "cache" else None
        explain = lambda asked: self._explain(asked, *rest, **options)
        if not alarmed:
            answer = explain(x)
            with self._lock:
                known.answered.append(Answered(query, answer))
            return Guarded(answer, actions.ANSWERED, alarms)
        if self._on_alarm == "coarsen":
            return Guarded(self._coarsen(explain(x)), actions.ACTIONS["coarsen"], alarms)
        if before is not None:
            answer = before.answer if before.answer is not None else explain(before.x.reshape(np.shape(x)))
            return Guarded(answer, actions.ACTIONS["cache"], alarms)
        return Guarded(None, actions.ACTIONS["refuse"], alarms)

    @property
    def alarmed(self) -> tuple[str, ...]:
        """The accounts that have alarmed, the one that asked last at the end."""
        with self._lock:
            return tuple(name for name, account in self._accounts.items() if account.alarmed)

    def forgive(self, account: str) -> None:
        """Lets an account begin anew, as one that has never asked."""
        with self._lock:
            self._accounts.drop(account)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes all states, at once or not at all; the answers that "cache" repeats are made again after a restart.

        Args:
          folder: where; its owner's alone, for the states hold queries.

        Raises:
          UsageError: it cannot be written.
        """
        with self._lock:
            value = kept.value_of(self._accounts, self._shared)
        kept.write(folder, self._names, value)

    def restore(self, folder: str | os.PathLike[str]) -> bool:
        """Goes on from what `save` wrote.

        Args:
          folder: as in `save`.

        Returns:
          Whether there was anything.

        Raises:
          UsageError: what is there is damaged, or of other monitors.
        """
        value = kept.read(folder, self._names)
        if value is None:
            return False
        with self._lock:
            self._shared = kept.restored(value, self._begun, self._shared, self._accounts)
        return True

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self._monitors]

    def _updated(self, states: State, x: jax.Array) -> tuple[State, jax.Array]:
        pairs = [one.update(state, x) for one, state in zip(self._monitors, states, strict=True)]
        return [state for state, _ in pairs], jnp.stack([score for _, score in pairs])

    def _watch(self, query: np.ndarray, name: str) -> tuple[Account, tuple[str, ...]]:
        known = self._accounts[name]
        states, scores = self._update([*known.state, *self._shared], query)
        known.state, self._shared = states[: len(self._own)], states[len(self._own) :]
        above = np.asarray(scores, np.float64) > self._limits
        known.alarmed |= bool(above[: len(self._own)].any())
        return known, tuple(one.name for one, alarm in zip(self._monitors, above, strict=True) if alarm)


def guard(
    explain_fn: Callable[..., Any],
    monitors: Monitor | Sequence[Monitor],
    *,
    on_alarm: str = "refuse",
    coarsen: Callable[[Any], Any] = actions.one_digit,
    accounts: int = 1000,
    answered: int = 64,
    folder: str | os.PathLike[str] | None = None,
) -> Guard:
    """Puts monitors before a service.

    Args:
      explain_fn: `explain_fn(x, ...) -> answer`, a pytree of arrays; called for what is answered alone, outside of the
        lock, possibly by several threads at a time.
      monitors: one or several, with their thresholds set.
      on_alarm: "coarsen" answers with less detail, "cache" with the answer to the nearest query of the same account
        before its alarm (and refuses where there is none), "refuse" not at all.
      coarsen: makes an answer coarse; leaves one digit of every array by default, see `one_digit`.
      accounts: how many are known at a time. Of those too many the one that asked longest ago is forgotten, and those
        that have alarmed last.
      answered: how many answered queries of an account are held for "cache".
      folder: where an earlier state is read from, if there is one; `Guard.save` writes it.

    Returns:
      The guard.

    Raises:
      UsageError: an action that there is not, no monitors, a threshold that was not set, a state that does not fit.
    """
    listed = [monitors] if isinstance(monitors, Monitor) else list(monitors)
    actions.check(on_alarm)
    at_least("accounts", accounts, 1)
    at_least("answered", answered, 1)
    if not listed:
        raise fail("monitors", "none", "must be at least one")
    distinct("monitors", [one.name for one in listed])
    for one in listed:
        if not np.isfinite(one.threshold):
            raise fail(
                f"{one.name}.threshold", one.threshold, "must be set on benign streams, by set_threshold"
            )
        if one.features != listed[0].features:
            raise fail(one.name, f"{one.features} features", f"others have {listed[0].features}")
    made = Guard(explain_fn, listed, on_alarm=on_alarm, coarsen=coarsen, accounts=accounts, answered=answered)
    if folder is not None:
        made.restore(folder)
    return made
