"""What was asked of a service and answered, so that an attack can be run again on that alone.

The queries themselves are not kept but their digests: an attack that is replayed must ask the same questions, in the
same order, and whatever else it found out about the service it has to do without.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np

from leakjax._validate import UsageError
from leakjax.oracle.answer import Question


class Line(NamedTuple):
    """One batch of a transcript.

    Attributes:
      digest: of the question.
      queries: how many it holds.
      answer: what was answered.
    """

    digest: bytes
    queries: int
    answer: Any


class Transcript:
    """Batches in the order in which they were asked.

    Attributes:
      lines: the batches.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, question: Question, answer: Any) -> None:
        """Adds a batch."""
        self.lines.append(Line(digest_of(question), len(question.x), answer))


def digest_of(question: Question) -> bytes:
    """A digest of everything that was asked, by whom."""
    digest = hashlib.blake2b(digest_size=16)
    for part in question:
        array = np.asarray(-1 if part is None else part)
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.digest()


class Replayed:
    """Answers questions from a transcript, each in its turn."""

    def __init__(self, transcript: Transcript) -> None:
        """Args: transcript: the only thing it knows."""
        self._lines = iter(transcript.lines)
        self._at = 0

    def __call__(self, question: Question) -> Any:
        """The recorded answer.

        Raises:
          UsageError: it was another question, or there were no more.
        """
        line = next(self._lines, None)
        self._at += 1
        if line is None:
            raise UsageError(f"replay: the transcript ends before batch {self._at}")
        if line.digest != digest_of(question):
            raise UsageError(f"replay: batch {self._at} is not the question that was recorded")
        return line.answer
