r"""leakjax's explainers beside captum's: the same (--check), how fast (--speed), how exact (--error).

Needs the extra `bench` (torch, captum). Both libraries run on the same cores in one process, one after the
other; compilation is apart. The commands and what to expect:

  python -m experiments.benchmark_explainers --check
    About 90 seconds. Every line without a note below 1e-4, exit code 0; otherwise 1.

  python -m experiments.benchmark_explainers --speed
    About 10 minutes: attributions per second of both at B = 1, 64, 512 and their ratio, captum at its defaults
    and tuned (the better of a few internal batch sizes).

  python -m experiments.benchmark_explainers --error
    About 2 minutes: how far the sampled Shapley values of both are from the exact ones at the budgets of
    --speed. The error falls with the root of the runs, so the squared ratio is what either would have to
    run more.
"""

import functools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import captum.attr as theirs
import jax
import numpy as np
import torch
from absl import flags
from captum._utils.models.linear_model import SkLearnRidge

from leakjax.explain import EXPLAINERS, Segments, batched, grid

from . import _main
from .captum_bridge import CLASSES, Pair, cnn, from_torch, mlp, to_torch
from .captum_check import rows

CLOSE = 1e-4
SIDE = 28
CELLS = grid((SIDE, SIDE, 1), 4)
SAMPLES = 128  # of LIME and KernelSHAP, on 16 segments
ORDERS = 10
NETWORKS: dict[str, Callable[[int, int], Pair]] = {
    "mlp": mlp,
    "cnn": cnn,
    "plain_cnn": functools.partial(cnn, plain=True),
}
# Runs of the model that one compiled call holds at a time: their activations should stay near 10 MB.
HELD = {"mlp": 1024, "cnn": 32, "plain_cnn": 32}
CHUNK = 32  # of these, for one example, where a method masks
STEPS = 20


_CHECK = flags.DEFINE_bool("check", False, "Compare attributions.")
_SPEED = flags.DEFINE_bool("speed", False, "Measure attributions per second.")
_ERROR = flags.DEFINE_bool("error", False, "Compare sampled Shapley values with exact ones.")
_BATCHES = flags.DEFINE_list("batches", ["1", "64", "512"], "Batch sizes of --speed.")
_METHODS = flags.DEFINE_list("methods", [], "Methods of --speed; all by default.")
_NETWORKS = flags.DEFINE_list(
    "networks", ["mlp", "cnn"], "Of mlp, cnn and plain_cnn, for --speed and --error."
)

OPTIONS: dict[str, dict[str, Any]] = {
    "gradient": {},
    "input_x_gradient": {},
    "guided_backprop": {},
    "deconvnet": {},
    "deeplift": {},
    "lrp": {},
    "gradcam": {},
    "integrated_gradients": {"steps": STEPS},
    "smoothgrad": {"samples": STEPS, "sigma": 0.2},
    "gradient_shap": {"samples": STEPS},
    "occlusion": {"window": 7},
    "feature_ablation": {},
    "lime": {"samples": SAMPLES},
    "kernel_shap": {"samples": SAMPLES},
    "shapley_sampling": {"samples": ORDERS},
}


def captum_calls(name: str, pair: Pair, count: int) -> tuple[Callable[..., Any], list[dict[str, int]]]:
    """A call of captum's method on (inputs, targets), and the settings by which it can be tuned."""
    module = pair.module
    mask = torch.tensor(CELLS.map[..., 0])[None, None]
    inner = [{"internal_batch_size": size} for size in (64, 256, 1024) if size < count * STEPS]
    each = [{"perturbations_per_eval": size} for size in (4, 16, 64)]
    ridge = SkLearnRidge(alpha=1.0)
    found: dict[str, tuple[Callable[..., Any], list[dict[str, int]]]] = {
        "gradient": (lambda x, t: theirs.Saliency(module).attribute(x, t, abs=False), []),
        "input_x_gradient": (lambda x, t: theirs.InputXGradient(module).attribute(x, t), []),
        "guided_backprop": (lambda x, t: theirs.GuidedBackprop(module).attribute(x, t), []),
        "deconvnet": (lambda x, t: theirs.Deconvolution(module).attribute(x, t), []),
        "lrp": (lambda x, t: theirs.LRP(module).attribute(x, t), []),
        "deeplift": (lambda x, t: theirs.DeepLift(module).attribute(x, target=t), []),
        "integrated_gradients": (
            lambda x, t, **k: theirs.IntegratedGradients(module).attribute(x, target=t, n_steps=STEPS, **k),
            inner,
        ),
        "smoothgrad": (
            lambda x, t, **k: theirs.NoiseTunnel(theirs.Saliency(module)).attribute(
                x, nt_samples=STEPS, stdevs=0.2, target=t, abs=False, **k
            ),
            [{"nt_samples_batch_size": size} for size in (1, 4)],
        ),
        "gradient_shap": (
            lambda x, t: theirs.GradientShap(module).attribute(
                x, torch.zeros_like(x[:1]), n_samples=STEPS, target=t
            ),
            [],
        ),
        "occlusion": (
            lambda x, t, **k: theirs.Occlusion(module).attribute(
                x, (1, 7, 7), strides=(1, 7, 7), target=t, **k
            ),
            each,
        ),
        "feature_ablation": (
            lambda x, t, **k: theirs.FeatureAblation(module).attribute(x, target=t, feature_mask=mask, **k),
            each,
        ),
        "lime": (
            lambda x, t, **k: theirs.Lime(module, interpretable_model=ridge).attribute(
                x, target=t, feature_mask=mask, n_samples=SAMPLES, **k
            ),
            each,
        ),
        "kernel_shap": (
            lambda x, t, **k: theirs.KernelShap(module).attribute(
                x, target=t, feature_mask=mask, n_samples=SAMPLES, **k
            ),
            each,
        ),
        "shapley_sampling": (
            lambda x, t, **k: theirs.ShapleyValueSampling(module).attribute(
                x, target=t, feature_mask=mask, n_samples=ORDERS, **k
            ),
            each,
        ),
    }
    if pair.last is not None:
        found["gradcam"] = (
            lambda x, t: theirs.LayerGradCam(module, pair.last).attribute(x, t, relu_attributions=True),
            [],
        )
    return found[name]


def best_time(call: Callable[[], Any], warm: bool) -> float:
    """The shortest of up to five runs or two seconds, after one apart where that compiles."""
    if warm:
        call()
    times: list[float] = []
    while len(times) < 5 and sum(times) < 2:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def speed(networks: list[str], batches: list[int], methods: list[str]) -> Iterator[str]:
    """The lines of the table."""
    titles = ("network", "method", "B", "leakjax/s", "captum/s", "tuned/s", "times", "tuned")
    yield "{:10}{:20}{:>5}{:>12}{:>12}{:>12}{:>9}{:>9}".format(*titles)
    for network in networks:
        pair = NETWORKS[network](SIDE, 1)
        for name in methods or OPTIONS:
            if name == "gradcam" and pair.last is None:
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

    def captum_rate(chosen: dict[str, int]) -> float:
        return few / best_time(lambda: call(inputs, classes, **chosen), warm=not chosen)

    rate = batch / best_time(mine, warm=True)
    rates = [captum_rate(chosen) for chosen in ({}, *settings)]
    plain, tuned = rates[0], max(rates)
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
