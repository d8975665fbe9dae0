r"""leakjax's explainers beside captum's: the same (--check), how fast (--speed), how exact (--error).

Needs the extra `bench` (torch, captum). Both libraries run on the same cores in one process, taking turns;
compilation is apart. The commands and what to expect:

  python -m experiments.benchmark_explainers --check
    About 2 minutes. Every line without a note below 1e-4, exit code 0; otherwise 1.

  python -m experiments.benchmark_explainers --speed
    About 17 minutes on a busy core: attributions per second of both at B = 1 and 64 and their ratio, captum at
    its defaults and tuned (the better of a few internal batch sizes). A method that captum does not hold on a
    network is left out with the reason. Pinned to one core (`taskset -c 1`), the processor's time counts.

  python -m experiments.benchmark_explainers --error --networks=mlp,cnn
    About 2 minutes: how far the sampled Shapley values of both are from the exact ones at the budgets of
    --speed. The error falls with the root of the runs, so the squared ratio is what either would have to
    run more.
"""

import functools
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import torch
from absl import flags

from leakjax.explain import EXPLAINERS, Segments, batched

from . import _main
from .captum_blocks import resnet, vit
from .captum_bridge import CLASSES, Pair, cnn, from_torch, mlp, to_torch
from .captum_calls import CELLS, OPTIONS, SIDE, captum_calls
from .captum_check import rows

CLOSE = 1e-4
NETWORKS: dict[str, Callable[[int, int], Pair]] = {
    "mlp": mlp,
    "cnn": cnn,
    "plain_cnn": functools.partial(cnn, plain=True),
    "resnet": resnet,
    "vit": vit,
}
# Runs of the model that one compiled call holds at a time: their activations should stay near 10 MB.
HELD = {"mlp": 1024, "cnn": 32, "plain_cnn": 32, "resnet": 48, "vit": 16}
CHUNK = 32  # of these, for one example, where a method masks
ROUNDS, SECONDS = 20, 2.0  # of one line of the table, at most

_CHECK = flags.DEFINE_bool("check", False, "Compare attributions.")
_SPEED = flags.DEFINE_bool("speed", False, "Measure attributions per second.")
_ERROR = flags.DEFINE_bool("error", False, "Compare sampled Shapley values with exact ones.")
_BATCHES = flags.DEFINE_list("batches", ["1", "64"], "Batch sizes of --speed.")
_METHODS = flags.DEFINE_list("methods", [], "Methods of --speed; all by default.")
_NETWORKS = flags.DEFINE_list("networks", list(NETWORKS), "Networks of --speed and --error.")


def best_times(calls: list[Callable[[], Any]]) -> list[float]:
    """The shortest time of each call, all of them taking turns, so that a busy moment strikes them alike.

    On one core the processor's time counts, and that of other programs does not; on several the clock's. The first
    two calls, leakjax's and captum's at its defaults, are made once before.
    """
    alone = jax.default_backend() == "cpu" and len(os.sched_getaffinity(0)) == 1
    clock = time.process_time if alone else time.perf_counter
    for call in calls[:2]:
        call()
    best = [math.inf] * len(calls)
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            start = clock()
            call()
            best[place] = min(best[place], clock() - start)
        if time.perf_counter() - begin > SECONDS:
            break
    return best


def speed(networks: list[str], batches: list[int], methods: list[str]) -> Iterator[str]:
    """The lines of the table."""
    titles = ("network", "method", "B", "leakjax/s", "captum/s", "tuned/s", "times", "tuned")
    yield "{:10}{:20}{:>5}{:>12}{:>12}{:>12}{:>9}{:>9}".format(*titles)
    for network in networks:
        pair = NETWORKS[network](SIDE, 1)
        for name in methods or OPTIONS:
            if name in pair.without:
                yield f"{network:10}{name:20}left out: {pair.without[name]}"
                continue
            runs = EXPLAINERS[name].runs((SIDE, SIDE, 1), CELLS.count, **OPTIONS[name])
            chunk = {"chunk": CHUNK} if name == "occlusion" or EXPLAINERS[name].masks else {}
            explainer = EXPLAINERS[name].factory(pair.logits_fn, **OPTIONS[name], **chunk)
            explain = batched(explainer, size=max(1, HELD[network] // min(runs, CHUNK if chunk else runs)))
            for batch in batches:
                yield _line(network, name, pair, explain, batch)


def _line(network: str, name: str, pair: Pair, explain: Any, batch: int) -> str:
    xs, targets, cells = _examples(batch)
    ids, segments = np.arange(batch), cells if EXPLAINERS[name].masks else None
    variables = jax.device_put(pair.variables)

    def mine() -> None:
        found = explain(variables, xs, targets, key=jax.random.key(0), ids=ids, segments=segments)
        jax.block_until_ready(found)

    # captum's LIME and KernelSHAP go through the examples one by one: a few of them tell the rate.
    few = min(batch, 8) if name in ("lime", "kernel_shap") else batch
    inputs, classes = to_torch(xs[:few]), torch.tensor(targets[:few])
    call, settings = captum_calls(name, pair, few)

    captums = [functools.partial(call, inputs, classes, **chosen) for chosen in ({}, *settings)]
    own, *others = best_times([mine, *captums])
    rate, plain, tuned = batch / own, few / others[0], few / min(others)
    return (
        f"{network:10}{name:20}{batch:5}{rate:12.1f}{plain:12.1f}{tuned:12.1f}"
        f"{rate / plain:9.2f}{rate / tuned:9.2f}"
    )


def errors(networks: list[str], count: int = 32) -> Iterator[str]:
    """Root mean square errors of the sampled Shapley values, relative to the exact ones, and their ratio."""
    yield "{:10}{:20}{:>12}{:>12}{:>9}".format("network", "method", "leakjax", "captum", "ratio")
    xs, targets, segments = _examples(count)
    for network in networks:
        pair = NETWORKS[network](SIDE, 1)
        maps = {}
        for name in ("exact_shapley", "kernel_shap", "shapley_sampling"):
            explainer = EXPLAINERS[name].factory(pair.logits_fn, chunk=CHUNK, **OPTIONS.get(name, {}))
            explain = batched(explainer, size=1)
            key, ids = jax.random.key(0), np.arange(count)
            maps[name] = explain(pair.variables, xs, targets, key=key, ids=ids, segments=segments)
        exact = np.asarray(maps.pop("exact_shapley"))
        for name, ours in maps.items():
            torch.manual_seed(0)
            captums = from_torch(captum_calls(name, pair, count)[0](to_torch(xs), torch.tensor(targets)))
            mine, other = (np.linalg.norm(found - exact) / np.linalg.norm(exact) for found in (ours, captums))
            yield f"{network:10}{name:20}{mine:12.3f}{other:12.3f}{other / mine:9.2f}"


def _examples(count: int) -> tuple[np.ndarray, np.ndarray, Segments]:
    """Inputs, their targets and their segments."""
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(count, SIDE, SIDE, 1)).astype(np.float32)
    segments = Segments(np.broadcast_to(CELLS.map, (count, *CELLS.map.shape)), CELLS.count)
    return xs, rng.integers(0, CLASSES, size=count), segments


def main(values: flags.FlagValues) -> int:
    """Runs what the flags ask for."""
    warnings.filterwarnings("ignore", module="captum|torch")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if _CHECK.value:
        wrong = 0
        for row in rows():
            wrong += not row.note and not row.method.startswith("  ") and not row.difference < CLOSE
            print(f"{row.network:16}{row.method:52}{row.difference:10.1e}  {row.note}", flush=True)
        if wrong:
            print(f"{wrong} methods differ by {CLOSE} or more", file=sys.stderr)
            return _main.FAILED
    if _ERROR.value:
        for line in errors(_NETWORKS.value):
            print(line, flush=True)
    if _SPEED.value:
        for line in speed(_NETWORKS.value, [int(batch) for batch in _BATCHES.value], _METHODS.value):
            print(line, flush=True)
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False)
