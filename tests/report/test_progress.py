"""Stages in a terminal and in a pipe, and the loops that tell how far they are."""

import io

import numpy as np
import pytest
from rich.console import Console

from leakjax import _progress
from leakjax.report import progress

LOSS, ACCURACY = np.array([0.5, np.nan], np.float32), np.array([0.75, 0.75], np.float32)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass as the test says."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def console(**options):
    return Console(file=io.StringIO(), width=120, **options)


def lines(shown):
    return shown.file.getvalue().splitlines()


def test_a_pipe_gets_a_line_when_a_stage_begins_and_one_now_and_then(clock):
    shown = console(force_terminal=False)
    with progress.Stages(shown, every=10) as stages:
        stages.say("explain lime")
        for step in _progress.track(range(20)):
            clock[0] += 60 if step == 0 else 3  # the first compiles
        stages.say("controls")
    assert lines(shown) == [
        "explain lime",
        "explain lime: 5%",
        *(
            f"explain lime: {share}%, about 0:00:{left:02} left"
            for share, left in ((25, 45), (45, 33), (65, 21))
        ),
        "explain lime: 85%, about 0:00:09 left",
        "controls",
    ]


def test_a_terminal_gets_a_bar_that_goes_when_the_stage_ends(clock):
    shown = console(force_terminal=True)
    with progress.Stages(shown) as stages:
        stages.say("explain lime")
        for _ in _progress.track(range(4)):
            clock[0] += 3700
        drawn = shown.file.getvalue()
    assert "100%" in drawn
    assert "about 0:00:00 left" in drawn
    assert drawn.count("explain lime") == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_training_shows_epochs_and_figures_that_are_finite(clock, terminal):
    shown = console(force_terminal=terminal)
    with progress.Stages(shown, every=0) as stages:
        stages.say("training 2 models")
        for epoch in range(3):
            clock[0] += 2
            stages.on_epoch(4, epoch, LOSS, ACCURACY)
    assert "epoch 3/4, loss 0.5000, accuracy 0.7500, about 0:00:02 left" in shown.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_names_and_paths_are_no_markup(clock, terminal):
    """`npz:/data/br [/x]/a.npz` ended the audit with rich's MarkupError."""
    shown = console(force_terminal=terminal)
    with progress.Stages(shown, every=0) as stages:
        for text in ("npz:/data/br [/x]/a.npz: 40 points", "explain own[bold]", "a" * 200):
            stages.say(text)
            clock[0] += 1
            stages.tell(0.3, "[/x]")
            clock[0] += 1
            stages.tell(0.5, "[/x]")
            assert text in shown.file.getvalue()  # whole, on one line
    assert "[/x]" in shown.file.getvalue()


def test_a_loop_inside_a_loop_is_a_part_of_it():
    told = []
    with _progress.watched_by(told.append):
        for _ in _progress.track("ab"):
            for _ in _progress.track(range(2)):
                pass
        for _ in _progress.track("c"):
            break  # a loop that is left says nothing more, and leaves nobody else's watcher behind
        list(_progress.track("d"))
    assert told == [0.25, 0.5, 0.5, 0.75, 1, 1, 1]
    list(_progress.track("e"))
    assert len(told) == 7
