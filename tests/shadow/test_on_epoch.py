import io
import json

import numpy as np
from rich.console import Console

from leakjax.shadow import metrics_writer, progress_bar

LOSS = np.array([0.5, np.nan], np.float32)
ACCURACY = np.array([0.75, 0.0], np.float32)


def test_metrics_have_a_line_for_each_epoch_and_member(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"stage": "data"}\n')
    on_epoch = metrics_writer(path, np.array([17, 3], np.int32))
    on_epoch(0, LOSS, ACCURACY)
    on_epoch(1, np.array([0.25, np.inf], np.float32), ACCURACY)
    _, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        {"stage": "train", "epoch": 0, "model": 17, "loss": 0.5, "accuracy": 0.75},
        {"stage": "train", "epoch": 0, "model": 3, "loss": None, "accuracy": 0.0},
        {"stage": "train", "epoch": 1, "model": 17, "loss": 0.25, "accuracy": 0.75},
        {"stage": "train", "epoch": 1, "model": 3, "loss": None, "accuracy": 0.0},
    ]


def draw(console):
    with progress_bar(2, console) as on_epoch:
        on_epoch(0, LOSS, ACCURACY)
        on_epoch(1, LOSS, ACCURACY)
    return console.file.getvalue()


def test_the_bar_shows_epochs_and_finite_figures():
    shown = draw(Console(file=io.StringIO(), force_terminal=True, width=120))
    assert "2/2" in shown
    assert "loss 0.5000  accuracy 0.7500" in shown
    assert "0:00:00" in shown  # time left


def test_without_a_terminal_there_is_no_bar():
    assert draw(Console(file=io.StringIO(), force_terminal=False)).strip() == ""
