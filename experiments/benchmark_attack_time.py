r"""How long do attacks take, and how much memory, on answers of a stated size?

    python -m experiments.benchmark_attack_time --models=64 --points=10000 --signals=24

Draws signals that tell members a little, half of them of the prediction and half of the explanation, with the labels'
log-probabilities beside them, attacks every model by every attack that learns within seconds, and says the seconds of
each, compilation included, and the most memory that the process has held.
"""

import resource
import time

import jax
import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from leakjax import attack
from leakjax.attack import stacked
from leakjax.attack.replies import Replies
from leakjax.attack.run import run

from . import _main

RATIOS = (
    "lira",
    "lira(variance='pooled')",
    "lira(variance='global')",
    "lira(variance='fixed')",
    "lira(online=False)",
    "bavaria",
    "rmia",
    "base",
    "attack_r",
    "difference",
)
CLASSES = 10


def drawn(models: int, points: int, signals: int) -> tuple[np.ndarray, np.ndarray, Replies]:
    """Membership [models, points], signals [models, points, signals], and predictions that know of both."""
    draw = np.random.default_rng(0)
    member = draw.random((models, points)) < 0.5
    seen = draw.standard_normal((models, points, signals), np.float32) + 0.1 * member[..., None]
    label = draw.integers(0, CLASSES, points).astype(np.int32)
    logits = draw.standard_normal((models, points, CLASSES), np.float32)
    logits[:, np.arange(points), label] += 2 + 0.3 * member
    log_probabilities = np.asarray(jax.nn.log_softmax(logits))
    return member, seen, Replies(log_probabilities=log_probabilities, label=label)


def main(values: flags.FlagValues) -> int:
    """Reads the flags, attacks and says how long it took."""
    member, seen, replies = drawn(values.models, values.points, values.signals)
    half = values.signals // 2
    prediction, explanation = stacked.Answers(seen[..., :half]), stacked.Answers(seen[..., half:])
    table = Table("attack", "seconds", "AUC", title=f"{values.models} models, {values.points} points")
    begun = time.monotonic()

    def row(name: str, scores: np.ndarray, since: float) -> None:
        seconds = time.monotonic() - since
        table.add_row(name, f"{seconds:.1f}", f"{roc_auc_score(member.ravel(), scores.ravel()):.3f}")

    for name in RATIOS:
        since = time.monotonic()
        one = attack.parse(name)
        assert isinstance(one, attack.Attack)
        row(name, run(one, replies, member, key=jax.random.key(0)).scores, since)
    since = time.monotonic()
    scores, _ = stacked.attack(prediction, explanation, member)
    row(f"stacked, {values.signals} signals", scores.both, since)
    Console().print(table)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.monotonic() - begun:.0f} seconds together, {held:.2f} GiB at most")
    return _main.DONE


if __name__ == "__main__":
    flags.DEFINE_integer("models", 64, "How many models there are; each is a target.", lower_bound=8)
    flags.DEFINE_integer("points", 10_000, "How many points there are.", lower_bound=64)
    flags.DEFINE_integer("signals", 24, "How many numbers each model answers at a point.", lower_bound=2)
    _main.launch(main)
