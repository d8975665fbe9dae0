"""Oracles of maps: a service, what it lets out, and who watches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.oracle.answer import ANSWERED, Answer, Predicted, Question
from leakjax.oracle.asked import Oracle
from leakjax.oracle.gate import Gate, Watches
from leakjax.oracle.release import Release
from leakjax.oracle.service import Service, answer_program, check, plain_program, sticky_keys
from leakjax.oracle.transcript import Replayed, Transcript

# Queries that one run of a compiled program takes at most: explanations hold more than predictions.
EXPLAINED_TOGETHER, PLAIN_TOGETHER = 256, 8192
_FEWER = 16  # fewer queries run in a program for 16 times fewer, so that few are ever compiled


def oracle(
    service: Service,
    release: Release,
    *,
    key: jax.Array,
    budget: int | None = None,
    monitor: Watches | None = None,
    on_alarm: str = "refuse",
    written: bool = True,
) -> Oracle[Answer]:
    """Offers a service to an attacker.

    Args:
      service: what is attacked.
      release: what it lets out.
      key: of its noise; every query draws its own, unless the service is sticky.
      budget: how many queries are answered; None: any number.
      monitor: looks at every query of an account; None: nobody does.
      on_alarm: what becomes of a query that alarms it. "refuse"; "coarsen": a label, and the sign of the map in four
        blocks along each side; "cache": the account's last answer again.
      written: whether the oracle keeps a transcript.

    Returns:
      The oracle.

    Raises:
      UsageError: a budget below 1, another action, or a release that the service cannot give.
    """
    check(service, release)
    answers = _Answers(service, release, key)
    return Oracle(answers, gate=Gate(budget, monitor, on_alarm), coarsen=coarsened, written=written)


def replay(transcript: Transcript) -> Oracle[Any]:
    """The stub of an oracle that holds a transcript and nothing else: for the same questions, the same answers."""
    return Oracle(Replayed(transcript), written=False)


class _Answers:
    """The full answers of one service."""

    def __init__(self, service: Service, release: Release, key: jax.Array) -> None:
        self._service, self._release, self._key = service, release, key
        self._plain = plain_program(service, release)
        self._explain: Any = None
        self._asked = 0

    def __call__(self, question: Question) -> Answer:
        explained = not question.plain and bool(self._release.explanations)
        together = EXPLAINED_TOGETHER if explained else PLAIN_TOGETHER
        x = question.x
        parts = [
            self._part(question, slice(low, low + together), together, explained)
            for low in range(0, len(x) or 1, together)
        ]
        self._asked += len(x)
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)

    def _part(self, question: Question, rows: slice, together: int, explained: bool) -> Answer:
        x = question.x[rows]
        count, size = len(x), _size(len(x), together)
        sticky = self._service.sticky
        if sticky is not None and explained:
            x = np.asarray(sticky.canonical(x))
        filled = _filled(np.asarray(x, np.float32), size)
        if not explained:
            shown, maps, classes = self._plain(jnp.asarray(filled)), (), np.zeros((size, 0), np.int32)
        else:
            if self._explain is None:
                self._explain = answer_program(self._service, self._release, x.shape[1:])
            asked = (
                -np.ones(count, np.int32)
                if question.explained_class is None
                else question.explained_class[rows]
            )
            sticky = sticky if count else None
            keys = sticky_keys(sticky, x, size) if sticky else self._keys(rows.start, count, size)
            shown, maps, classes = self._explain(filled, _filled(asked, size), keys)
        fetched = jax.tree.map(lambda leaf: np.asarray(leaf)[:count], (shown, maps, classes))
        action = np.full(count, ANSWERED, dtype="<U9")
        return Answer(Predicted(*fetched[0]), tuple(fetched[1]), fetched[2], action)

    def _keys(self, start: int, count: int, size: int) -> jax.Array:
        """The keys of queries, in turn up to `size`."""
        return _folded(self._key, self._asked + start + np.arange(size) % max(count, 1))


_folded = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(None, 0)))


def coarsened(answer: Answer, rows: np.ndarray) -> Answer:
    """Answers in which some queries are told a label alone, and the signs of the map in a few blocks."""
    classes, chances = np.array(answer.prediction.classes), np.array(answer.prediction.probabilities)
    if classes.shape[1] and chances.shape[1]:
        most = chances[rows].argmax(axis=1)[:, None]
        classes[rows], chances[rows] = np.take_along_axis(classes[rows], most, axis=1), np.nan
    maps = tuple(_signs(each, rows) for each in answer.explanations)
    return answer._replace(prediction=Predicted(classes, chances), explanations=maps)


def _signs(maps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Maps [queries, ...] in which those of some rows hold the sign of their sum in each of a few blocks."""
    told = np.array(maps)
    blocks = told[rows]
    sides = [axis for axis in range(1, blocks.ndim) if blocks.shape[axis] > 4]
    for axis in sides:
        place = np.arange(blocks.shape[axis]) * 4 // blocks.shape[axis]
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        blocks = np.add.reduceat(blocks, starts, axis=axis).repeat(np.bincount(place), axis=axis)
    told[rows] = np.sign(blocks)
    return told


def _size(count: int, together: int) -> int:
    """How many queries the program runs on: few sizes are ever compiled."""
    size = together
    while size // _FEWER >= max(count, 1) and size > _FEWER:
        size //= _FEWER
    return size


def _filled(array: np.ndarray, size: int) -> np.ndarray:
    if len(array) == size:
        return array
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), array.dtype)])
