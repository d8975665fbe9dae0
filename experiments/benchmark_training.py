r"""How fast are many models trained, beside the obvious PyTorch loop over one model after the other?

    python -m experiments.benchmark_training --repeats=3

Same network, batch, optimiser (Adam) and sizes on both sides, data on the device, in one run; PyTorch with
channels_last and, on a GPU, torch.compile. A row is the median of the repeats and the best against the best, in steps
of one model a second. PyTorch's own time wanders by 40 % on a busy machine. It takes some five minutes on 2 cores.

    python -m experiments.benchmark_training --one_core --repeats=10

compares processor time on one core, one thread each, which other programs disturb little.
"""

import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from absl import app, flags
from rich.console import Console
from rich.table import Table

from leakjax import models, shadow
from leakjax.models import Model
from leakjax.shadow.together import Training


class Case(NamedTuple):
    """A network, and how much of it is trained."""

    name: str
    model: Model
    shape: tuple[int, ...]
    classes: int
    batch: int
    models: int
    points: int
    torch: Callable[[], torch.nn.Module]


def perceptron(widths: tuple[int, ...]) -> torch.nn.Module:
    """Dense layers with tanh."""
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def convolutional(side: int, channels: tuple[int, int, int]) -> torch.nn.Module:
    """Two 3 x 3 convolutions with rectifier and pooling, a dense layer."""
    nn = torch.nn
    layers = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * (side // 4) ** 2, 10))


_WIDE = (600, 1024, 512, 256, 128, 100)
CASES = (
    Case("mlp 64-128-10", models.mlp(10), (64,), 10, 32, 64, 2000, lambda: perceptron((64, 128, 10))),
    Case(
        "mlp 600-1024-512-256-128-100",
        models.mlp(100, widths=_WIDE[1:-1]),
        (600,),
        100,
        64,
        8,
        2000,
        lambda: perceptron(_WIDE),
    ),
    Case(
        "cnn 28x28 (16, 32)",
        models.cnn(10),
        (28, 28, 1),
        10,
        64,
        8,
        2000,
        lambda: convolutional(28, (1, 16, 32)),
    ),
    Case(
        "cnn 32x32x3 (32, 64)",
        models.cnn(10, channels=(32, 64)),
        (32, 32, 3),
        10,
        64,
        4,
        2000,
        lambda: convolutional(32, (3, 32, 64)),
    ),
)


def ours(case: Case) -> Callable[[], float]:
    """A function that trains all models for an epoch and returns steps of a model a second."""
    x, y, config = _data(case)
    ids = np.arange(case.models)
    membership = np.ones((case.models, case.points), bool)
    training = Training(case.model, x, y, config, key=jax.random.key(0), membership=membership, ids=ids)
    steps = case.models * config.steps(case.points)

    def run() -> float:
        start = _clock()
        training.advance()
        return steps / (_clock() - start)

    run()  # compiles
    return run


def theirs(case: Case) -> Callable[[], float]:
    """The same by PyTorch, of one model: the others take as long again."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y, config = _data(case)
    steps = config.steps(case.points)
    images = len(case.shape) == 3
    points = torch.from_numpy(np.moveaxis(x, -1, 1).copy() if images else x).to(device)
    labels = torch.from_numpy(y.astype(np.int64)).to(device)
    network: Any = case.torch().to(device)
    if images:
        points, network = (part.to(memory_format=torch.channels_last) for part in (points, network))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, capturable=device == "cuda")
    if device == "cuda":
        network = torch.compile(network, mode="reduce-overhead")

    def run() -> float:
        start = _clock()
        order = torch.randperm(case.points, device=device)[: steps * case.batch].reshape(steps, case.batch)
        for rows in order:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(points[rows]), labels[rows]).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return steps / (_clock() - start)

    run()
    return run


def _clock() -> float:
    """Seconds: of the clock, or of processor time spent by all threads."""
    return time.process_time() if flags.FLAGS.one_core else time.perf_counter()


def _data(case: Case) -> tuple[np.ndarray, np.ndarray, shadow.TrainConfig]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(case.points, *case.shape)).astype(np.float32)
    y = generator.integers(0, case.classes, case.points).astype(np.int32)
    return x, y, shadow.TrainConfig(epochs=10**6, batch_size=case.batch)


def main(_: list[str]) -> None:
    """Measures every case, the two sides in turn, and prints the table."""
    if flags.FLAGS.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before any thread is started
        torch.set_num_threads(1)
    jax.config.update("jax_num_cpu_devices", 1 if flags.FLAGS.one_core else 2)
    table = Table("network", "models", "leakjax", "PyTorch", "median of ratios", "best by best")
    for case in CASES:
        if flags.FLAGS.only not in case.name:
            continue
        mine, other = ours(case), theirs(case)
        pairs = [(mine(), other()) for _ in range(flags.FLAGS.repeats)]
        best = [max(side) for side in zip(*pairs, strict=True)]
        ratio = statistics.median(a / b for a, b in pairs)
        shown = [f"{best[0]:,.0f}", f"{best[1]:,.0f}", f"{ratio:.2f}", f"{best[0] / best[1]:.2f}"]
        table.add_row(case.name, str(case.models), *shown)
    Console(width=120).print(table)


if __name__ == "__main__":
    flags.DEFINE_integer("repeats", 5, "Epochs that are measured of each side.")
    flags.DEFINE_string("only", "", "Measure the networks whose name contains this.")
    flags.DEFINE_bool("one_core", False, "Compare processor time on one core, not the clock on all cores.")
    app.run(main)
