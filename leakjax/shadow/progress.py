"""A bar that shows how far training is and how long it will take."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakjax.shadow.ensemble import OnEpoch


@contextmanager
def progress_bar(epochs: int, console: Console | None = None) -> Iterator[OnEpoch]:
    """Shows epochs done, mean loss and accuracy, and the time left; nothing where there is no terminal.

    Args:
        epochs: how many there will be.
        console: where to draw; standard error by default.

    Yields:
        The `on_epoch` of `train_ensemble`.
    """
    console = console or Console(stderr=True)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=epochs, loss=float("nan"), accuracy=float("nan"))

        def on_epoch(epoch: int, loss: np.ndarray, accuracy: np.ndarray) -> None:
            finite = np.isfinite(loss)  # a diverged model must not hide the others
            if finite.any():
                bar.update(task, loss=loss[finite].mean(), accuracy=accuracy[finite].mean())
            bar.update(task, completed=epoch + 1)

        yield on_epoch
