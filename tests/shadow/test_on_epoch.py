import json

import numpy as np

from leakjax.shadow import metrics_writer

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
