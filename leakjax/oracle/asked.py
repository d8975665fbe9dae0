"""An oracle: whoever holds it may ask a service, and can do nothing else with it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax
import numpy as np

from leakjax.oracle.answer import ANSWERED, CACHED, COARSENED, REFUSED, Question
from leakjax.oracle.gate import Gate
from leakjax.oracle.transcript import Transcript

Answers = TypeVar("Answers", bound=Any)  # a NamedTuple of arrays [queries, ...], one of them its `action`


class Oracle(Generic[Answers]):
    """Query access to a service: counted, watched, written down.

    One query is one (x, explained class); refused ones were asked too. Kinds of oracles say how questions are answered.

    Attributes:
      queries: how many queries were asked so far.
      explained: how many of them asked for an explanation.
      refused: how many of them were refused.
      transcript: what was asked and answered, or None where nothing is written down.
    """

    def __init__(
        self,
        answer: Callable[[Question], Answers],
        *,
        gate: Gate | None = None,
        coarsen: Callable[[Answers, np.ndarray], Answers] | None = None,
        written: bool = True,
    ) -> None:
        """Offers answers.

        Args:
          answer: the full answers to questions.
          gate: who is let in; None: everybody, always.
          coarsen: (answers, bool [queries]) -> answers in which those queries are told less.
          written: whether a transcript is kept.
        """
        self.queries = self.explained = self.refused = 0
        self.transcript: Transcript | None = Transcript() if written else None
        self._answer, self._coarsen = answer, coarsen
        self._gate = gate or Gate(None, None, "refuse")
        # The last usual answer to each account, explained and plain apart, for those that get it again.
        self._last: dict[tuple[int, bool], list[np.ndarray]] = {}

    @property
    def plain(self) -> int:
        """How many queries asked for predictions alone."""
        return self.queries - self.explained

    @property
    def remaining(self) -> int | None:
        """How many more queries the budget allows; None without one."""
        return self._gate.left

    def ask(self, x: Any, explained_class: Any = None, *, account: Any = 0, plain: bool = False) -> Answers:
        """The answers to a batch of queries.

        Args:
          x: [queries, ...].
          explained_class: int, or [queries], whose output each asks to see explained; None: as the release decides.
          account: int, or [queries], who asks.
          plain: ask for predictions alone.

        Returns:
          The answers; those refused are NaN, and -1 where they are whole numbers.
        """
        question = question_of(x, explained_class, account, plain)
        action = self._gate.actions(question.x, question.account)
        full = self._answer(question)
        answer = self._passed(question, full, action)
        self.queries += len(question.x)
        self.explained += 0 if question.plain else len(question.x)
        self.refused += int((answer.action == REFUSED).sum())
        if self.transcript is not None:
            self.transcript.write(question, answer)
        return answer

    def _passed(self, question: Question, full: Answers, action: np.ndarray) -> Answers:
        """The answers as the gate lets them through."""
        if (action == ANSWERED).all() and not self._gate.watched:
            return full
        coarse = action == COARSENED
        answer = jax.tree.map(np.array, full)
        if coarse.any() and self._coarsen is not None:
            answer = self._coarsen(answer, coarse)
        action = self._cached(question, answer, action)
        answer = jax.tree.map(lambda leaf: withheld(leaf, action == REFUSED), answer)
        return answer._replace(action=action)

    def _cached(self, question: Question, answer: Answers, action: np.ndarray) -> np.ndarray:
        """Puts the account's last usual answer in the place of those that are cached; returns the actions."""
        action = action.copy()
        leaves = jax.tree.leaves(answer)
        for row, account in enumerate(question.account.tolist()):
            kind = (account, question.plain)
            if action[row] == ANSWERED:
                self._last[kind] = [np.array(leaf[row]) for leaf in leaves]
            elif action[row] == CACHED and kind in self._last:
                for leaf, last in zip(leaves, self._last[kind], strict=True):
                    leaf[row] = last
            elif action[row] == CACHED:  # there is nothing to say again
                action[row] = REFUSED
        return action


def question_of(x: Any, explained_class: Any, account: Any, plain: bool) -> Question:
    """A question of arrays, one value a query."""
    x = np.asarray(x)
    asked = None
    if explained_class is not None:
        asked = np.broadcast_to(np.asarray(explained_class, np.int32), (len(x),))
    return Question(x, asked, np.broadcast_to(np.asarray(account), (len(x),)), plain)


def withheld(leaf: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """An array of answers [queries, ...] in which some rows say nothing: NaN, -1 or as it was."""
    if not rows.any() or leaf.dtype.kind not in "fiu":
        return leaf
    leaf = np.array(leaf)
    leaf[rows] = np.nan if leaf.dtype.kind == "f" else -1
    return leaf
