"""How far a study is and how long it will take: a bar in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from leakjax.records.units import Unit


@contextmanager
def show_progress(
    units: Sequence[Unit], *, console: Console | None = None, every: float = 10.0
) -> Iterator[Callable[[Unit, float], None]]:
    """Shows the units that are done and the time that the others will take.

    Args:
        units: Those that there are.
        console: Where to; standard error by default.
        every: The least seconds between two lines where there is no terminal.

    Yields:
        The `on_unit` of `run_units`.
    """
    console = console or Console(stderr=True)
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    done, spent, measured, waiting = 0, 0.0, 0.0, sum(unit.effort for unit in units)
    said = time.monotonic()
    with Progress(*shown, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("records", total=len(units), left="")

        def on_unit(unit: Unit, seconds: float) -> None:
            nonlocal done, spent, measured, waiting, said
            done, waiting = done + 1, waiting - unit.effort
            if seconds:  # what was held already says nothing about the pace
                spent, measured = spent + seconds, measured + unit.effort
            left = time_left(spent, measured, waiting)
            bar.update(task, advance=1, description=unit.name, left=left)
            now = time.monotonic()
            if not console.is_terminal and (now - said >= every or done == len(units)):
                said = now
                line = f"{unit.name}: {done} of {len(units)} done" + (f", {left}" if left else "")
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield on_unit


def time_left(spent: float, measured: float, waiting: float) -> str:
    """In words, how long the efforts still waiting take if the measured ones took the seconds spent."""
    if not measured or waiting <= 1e-9:
        return ""
    seconds = round(spent / measured * waiting)
    return f"about {seconds} s left" if seconds < 100 else f"about {round(seconds / 60)} min left"
