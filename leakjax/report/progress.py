"""The stages of a run and the time each will take: a bar in a terminal, a line now and then in a pipe."""

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from leakjax import _progress


class Stages:
    """Announces stages and shows how far each is; what names and paths hold is shown as it is, not read as markup."""

    def __init__(self, console: Console, every: float = 10.0) -> None:
        """Args: console: where to draw. every: seconds between two lines where it is no terminal."""
        self._console, self._every = console, every
        self._bar: Progress | None = None
        self._stage, self._last = "", time.monotonic()
        # When the stage first told of its progress, and of how much.
        self._first: tuple[float, float] | None = None

    def __enter__(self) -> "Stages":
        """Watches every loop that `leakjax._progress.track` goes through."""
        self._watch = _progress.watched_by(self.tell)
        self._watch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._watch.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Begins a stage, or says something about one."""
        self._end()
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._begin(text)

    def tell(self, share: float, note: str = "") -> None:
        """Shows that a share of the stage, 0 to 1, is done, and how long the rest will take."""
        now = time.monotonic()
        if self._first is None or share <= self._first[1]:
            self._first = (now, share)  # what is before it compiles, and says nothing about the rest
        begun, done = self._first
        left = f"about {_clock((now - begun) * (1 - share) / (share - done))} left" if share > done else ""
        shown = ", ".join(filter(None, [note, left]))
        if self._console.is_terminal:
            self._draw(share, shown)
        elif now - self._last >= self._every and share < 1:
            self._last = now
            line = ", ".join(filter(None, [f"{self._stage}: {share:.0%}", shown]))
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def on_epoch(self, epochs: int, epoch: int, loss: np.ndarray, accuracy: np.ndarray) -> None:
        """Shows an epoch of training; a diverged model does not hide the others.

        Args:
          epochs: how many there will be.
          epoch: which is done, from 0.
          loss: [models].
          accuracy: [models].
        """
        finite = np.isfinite(loss)
        note = f"epoch {epoch + 1}/{epochs}"
        if finite.any():
            note += f", loss {loss[finite].mean():.4f}, accuracy {accuracy[finite].mean():.4f}"
        self.tell((epoch + 1) / epochs, note)

    def _begin(self, stage: str) -> None:
        self._stage, self._last = stage, time.monotonic()
        self._first = None

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, share: float, note: str) -> None:
        if self._bar is None:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}", markup=False))
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("", total=1.0, note="")
            self._bar.start()
        self._bar.update(self._task, completed=share, note=note, refresh=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
