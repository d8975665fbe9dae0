"""Every method that leakjax and captum share, on the same weights and the same random numbers."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import captum.attr as theirs
import jax
import jax.numpy as jnp
import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLasso, SkLearnRidge
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from torch import nn
from torch.nn import functional

from leakjax import explain
from leakjax.explain import Segments, batched, grid

from .captum_blocks import resnet, vit
from .captum_bridge import Pair, cnn, from_torch, mlp, to_torch

SIDE, CHANNELS, POINTS = 8, 2, 3
TARGETS = np.array([1, 4, 7])
KEY = jax.random.key(0)
CELLS = grid((SIDE, SIDE, CHANNELS), 3)


class Row(NamedTuple):
    """One comparison: the largest difference over the largest of ours, and if it is not small or is NaN, why."""

    network: str
    method: str
    difference: float
    note: str = ""


def examples() -> np.ndarray:
    """Inputs of both signs, [points, side, side, channels]."""
    return np.random.default_rng(5).normal(size=(POINTS, SIDE, SIDE, CHANNELS)).astype(np.float32)


def ours(pair: Pair, explainer: Any, cells: Segments | None = None) -> np.ndarray:
    """Attributions of the examples by leakjax, all on the same segments."""
    if cells is not None:
        cells = Segments(np.broadcast_to(cells.map, (POINTS, *cells.map.shape)), cells.count)
    ids = np.arange(POINTS)
    return np.asarray(
        batched(explainer)(pair.variables, examples(), TARGETS, key=KEY, ids=ids, segments=cells)
    )


def apart(mine: np.ndarray, other: Any) -> float:
    """The largest difference over the largest value."""
    other = from_torch(other) if isinstance(other, torch.Tensor) else other
    return float(np.abs(mine - other).max() / np.abs(mine).max())


def rows() -> Iterator[Row]:
    """All comparisons, one after the other."""
    windows = functools.partial(cnn, pool="windows")
    for name, make in (("mlp", mlp), ("cnn", windows), ("resnet", resnet), ("vit", vit)):
        pair = make(SIDE, CHANNELS)
        for method, difference in _plain(make):
            yield Row(name, method, difference)
        for method, difference in (*_noisy(pair), *_masking(pair)):
            yield Row(name, method, difference)
        for method, reason in pair.without.items():
            yield Row(name, method, math.nan, f"left out: {reason}")
    yield from _hooked()
    yield from _known_differences()


def _plain(make: Callable[..., Pair]) -> Iterator[tuple[str, float]]:
    pair = make(SIDE, CHANNELS)
    xs, targets = to_torch(examples()), torch.tensor(TARGETS)
    f = pair.logits_fn

    def fresh() -> nn.Module:
        # captum's hooks and rules stay behind on a module.
        return make(SIDE, CHANNELS).module

    logits = jax.vmap(f, (None, 0))(pair.variables, examples())
    yield "logits", apart(np.asarray(logits), pair.module(xs).detach().numpy())
    yield (
        "gradient",
        apart(ours(pair, explain.gradient(f)), theirs.Saliency(fresh()).attribute(xs, targets, abs=False)),
    )
    yield (
        "input_x_gradient",
        apart(ours(pair, explain.input_x_gradient(f)), theirs.InputXGradient(fresh()).attribute(xs, targets)),
    )
    for rule, method in (("gauss_legendre", "gausslegendre"), ("midpoint", "riemann_middle")):
        found = theirs.IntegratedGradients(fresh()).attribute(xs, target=targets, n_steps=20, method=method)
        yield (
            f"integrated_gradients {rule}",
            apart(ours(pair, explain.integrated_gradients(f, steps=20, rule=rule)), found),
        )
    yield (
        "guided_backprop",
        apart(ours(pair, explain.guided_backprop(f)), theirs.GuidedBackprop(fresh()).attribute(xs, targets)),
    )
    yield (
        "deconvnet",
        apart(ours(pair, explain.deconvnet(f)), theirs.Deconvolution(fresh()).attribute(xs, targets)),
    )
    if "lrp" not in pair.without:
        yield (
            "lrp epsilon",
            apart(
                ours(pair, explain.lrp(f, epsilon=1e-9)),
                theirs.LRP(_ruled(fresh(), EpsilonRule)).attribute(xs, targets),
            ),
        )
    if pair.last is None:
        return
    again = make(SIDE, CHANNELS)
    coarse = theirs.LayerGradCam(again.module, again.last).attribute(xs, targets, relu_attributions=True)
    found = functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear", align_corners=False)
    yield "gradcam", apart(ours(pair, explain.gradcam(f)), found)
    guided = theirs.GuidedGradCam(again.module, again.last)
    found = guided.attribute(xs, targets, interpolate_mode="bilinear")
    yield "guided_gradcam", apart(ours(pair, explain.guided_gradcam(f)), found)


def _hooked() -> Iterator[Row]:
    """DeepLIFT and the weighted LRP rules where captum's hold: no max-pool, no bias, no negative input."""
    xs, targets = to_torch(examples()), torch.tensor(TARGETS)
    for name, pair in (
        ("mlp", mlp(SIDE, CHANNELS)),
        ("cnn, mean-pool", cnn(SIDE, CHANNELS, pool="mean")),
        ("resnet", resnet(SIDE, CHANNELS)),
    ):
        found = theirs.DeepLift(pair.module).attribute(xs, target=targets)
        yield Row(name, "deeplift", apart(ours(pair, explain.deeplift(pair.logits_fn)), found))
    positive = np.abs(examples())
    for name, rule in (("gamma", GammaRule), ("z_plus", Alpha1_Beta0_Rule)):
        pair = mlp(SIDE, CHANNELS, biases=0.0)
        explainer = batched(explain.lrp(pair.logits_fn, rule=name, epsilon=1e-9))
        mine = explainer(pair.variables, positive, TARGETS, key=KEY, ids=np.arange(POINTS))
        found = theirs.LRP(_ruled(pair.module, rule)).attribute(to_torch(positive), targets)
        yield Row("mlp, no bias", f"lrp {name}", apart(np.asarray(mine), found))


def _ruled(module: nn.Module, rule: Any) -> nn.Module:
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
            layer.rule = rule()
    return module


def _noisy(pair: Pair) -> Iterator[tuple[str, float]]:
    """The first example, whose noise leakjax draws with the key folded with id 0 and then with the sample."""
    samples, sigma, f = 12, 0.3, pair.logits_fn
    x, key = examples()[:1], jax.random.fold_in(KEY, 0)
    keys = [jax.random.fold_in(key, sample) for sample in range(samples)]
    noise = sigma * np.stack([jax.random.normal(key, x.shape[1:]) for key in keys])
    for name, kind in (
        ("smoothgrad", "smoothgrad"),
        ("smoothgrad_squared", "smoothgrad_sq"),
        ("vargrad", "vargrad"),
    ):
        mine = ours(pair, getattr(explain, name)(f, samples=samples, sigma=sigma))[:1]
        tunnel = theirs.NoiseTunnel(theirs.Saliency(pair.module))
        with mock.patch("torch.normal", return_value=to_torch(noise)):
            found = tunnel.attribute(
                to_torch(x), nt_type=kind, nt_samples=samples, stdevs=sigma, target=int(TARGETS[0]), abs=False
            )
        yield name, apart(mine, found)
    places = np.asarray(jax.random.uniform(key, (samples,)), np.float64)
    mine = ours(pair, explain.gradient_shap(f, samples=samples))[:1]
    with mock.patch("numpy.random.uniform", return_value=places):
        found = theirs.GradientShap(pair.module).attribute(
            to_torch(x), torch.zeros_like(to_torch(x)), n_samples=samples, target=int(TARGETS[0])
        )
    yield "gradient_shap", apart(mine, found)


def _masking(pair: Pair) -> Iterator[tuple[str, float]]:
    f, module = pair.logits_fn, pair.module
    xs, targets = to_torch(examples()), torch.tensor(TARGETS)
    mask = torch.tensor(CELLS.map[..., 0])[None, None].repeat(1, CHANNELS, 1, 1)
    row = np.random.default_rng(6).normal(size=examples().shape[1:]).astype(np.float32)
    for window, stride in ((3, 2), (2, 2)):
        found = theirs.Occlusion(module).attribute(
            xs, (CHANNELS, window, window), strides=(CHANNELS, stride, stride), target=targets
        )
        yield (
            f"occlusion {window}/{stride}",
            apart(ours(pair, explain.occlusion(f, window=window, stride=stride)), found),
        )
    found = theirs.FeatureAblation(module).attribute(xs, target=targets, feature_mask=mask)
    yield "feature_ablation", apart(ours(pair, explain.feature_ablation(f), CELLS), found)

    def from_row(x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        return torch.where(hidden.bool(), to_torch(row[None]), x)

    found = theirs.FeaturePermutation(module, from_row).attribute(xs, target=targets, feature_mask=mask)
    yield (
        "feature_permutation",
        apart(ours(pair, explain.feature_permutation(f, background=row[None]), CELLS), found),
    )
    exact = theirs.ShapleyValues(module)
    with mock.patch("captum.attr._core.shapley_value.itertools.permutations", _some_orders):
        # All 9! orders take minutes: captum is given 40 of them, and leakjax's sampling the same.
        found = exact.attribute(xs, target=targets, feature_mask=mask)
    yield "shapley_sampling", apart(_by_orders(pair), found)
    few = grid((SIDE, SIDE, CHANNELS), 2)  # captum walks all 4! orders
    mask_few = torch.tensor(few.map[..., 0])[None, None].repeat(1, CHANNELS, 1, 1)
    found = theirs.ShapleyValues(module).attribute(xs, target=targets, feature_mask=mask_few)
    for name in ("exact_shapley", "kernel_shap"):
        yield f"{name}, all coalitions", apart(ours(pair, getattr(explain, name)(f), few), found)
    yield from (("lime " + name, gap) for name, gap in _lime(pair, mask))


def _orders(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.permutation(CELLS.count) for _ in range(count)]


def _some_orders(players: Any) -> list[tuple[int, ...]]:
    return [tuple(int(player) for player in order) for order in _orders(40)]


def _by_orders(pair: Pair) -> np.ndarray:
    """Shapley sampling by leakjax over the same orders, in place of those it would draw."""
    ranks = jnp.asarray(np.stack([np.argsort(order) for order in _orders(40)]))
    explainer = explain.shapley_sampling(pair.logits_fn, samples=40, antithetic=False)

    def one(x: jax.Array, target: jax.Array) -> jax.Array:
        return explainer(pair.variables, x, target, key=KEY, segments=CELLS)

    with (
        mock.patch("jax.random.permutation", lambda sample, players: ranks[sample]),
        mock.patch("jax.random.fold_in", lambda key, sample: sample),
    ):
        return np.asarray(jax.jit(jax.vmap(one))(examples(), TARGETS))


def _lime(pair: Pair, mask: torch.Tensor) -> Iterator[tuple[str, float]]:
    samples, players = 60, CELLS.count
    x, key = examples()[:1], jax.random.fold_in(KEY, 0)
    drawn = [
        jax.random.bernoulli(jax.random.fold_in(key, sample), 0.5, (players,)) for sample in range(1, samples)
    ]
    present = np.stack([np.ones(players), *drawn]).astype(np.float32)

    def weight(original: Any, perturbed: Any, shown: torch.Tensor, **_: Any) -> float:
        far = 1 - (shown.float().mean().item()) ** 0.5
        return float(np.exp(-(far**2) / (2 * 0.25**2)))

    for regression, model in (("ridge", SkLearnRidge(alpha=1.0)), ("lasso", SkLearnLasso(alpha=0.01))):
        queue = iter(torch.tensor(present)[:, None])
        lime = theirs.Lime(
            pair.module,
            interpretable_model=model,
            similarity_func=weight,
            perturb_func=lambda *_, queue=queue, **__: next(queue),
        )
        found = lime.attribute(to_torch(x), target=int(TARGETS[0]), feature_mask=mask, n_samples=samples)
        mine = ours(pair, explain.lime(pair.logits_fn, samples=samples, regression=regression), CELLS)[:1]
        yield regression, apart(mine, found)


def _known_differences() -> Iterator[Row]:
    """Where captum is wrong, with the difference that it makes."""
    pair, xs, targets = cnn(SIDE, CHANNELS, pool="windows"), to_torch(examples()), torch.tensor(TARGETS)
    mine = ours(pair, explain.integrated_gradients(pair.logits_fn, steps=10, rule="trapezoid"))
    found = theirs.IntegratedGradients(pair.module).attribute(
        xs, target=targets, n_steps=10, method="riemann_trapezoid"
    )
    note = "captum's trapezoid weights sum to 1 - 1/n: its attributions are short by that factor"
    yield Row("cnn", "integrated_gradients trapezoid", apart(mine, found), note)
    yield Row("cnn", "  the same, captum's times n / (n - 1)", apart(mine, found * 10 / 9))

    found = theirs.DeepLift(pair.module).attribute(xs, target=targets)
    gain = pair.module(xs) - pair.module(torch.zeros_like(xs))
    gain = gain[range(POINTS), targets].detach().numpy()
    mine = ours(pair, explain.deeplift(pair.logits_fn))
    note = "where a max-pool's input does not change, captum sends back the first example's gradient"
    yield Row("cnn", "deeplift, max-pool", apart(mine, found), note)
    yield from _residuals("cnn", gain, leakjax=mine, captum=from_torch(found))

    pair = mlp(SIDE, CHANNELS)
    layers = [layer for layer in pair.module.children() if isinstance(layer, nn.Linear)]

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(layers)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second, third = self.layers
            return third(functional.relu(second(functional.relu(first(x.flatten(1))))))

    mine = ours(pair, explain.deeplift(pair.logits_fn))
    found = theirs.DeepLift(Functional()).attribute(xs, target=targets)
    yield Row(
        "mlp",
        "deeplift, F.relu",
        apart(mine, found),
        "captum's hooks miss F.relu: it answers input x gradient",
    )
    plain = ours(pair, explain.input_x_gradient(pair.logits_fn))
    yield Row("mlp", "  captum's against input_x_gradient", apart(plain, found))

    softmax = nn.Sequential(mlp(SIDE, CHANNELS).module, nn.Softmax(1))
    mine = ours(pair, explain.deeplift(pair.logits_fn, output="probability"))
    alone = torch.cat(
        [theirs.DeepLift(softmax).attribute(xs[i : i + 1], target=int(TARGETS[i])) for i in range(POINTS)]
    )
    together = theirs.DeepLift(softmax).attribute(xs, target=targets)
    note = "captum's softmax rule averages over the batch: an example's attribution depends on its neighbours"
    yield Row(
        "mlp", "deeplift of softmax, captum: alone, in a batch", apart(from_torch(alone), together), note
    )
    gain = softmax(xs) - softmax(torch.zeros_like(xs))
    gain = gain[range(POINTS), targets].detach().numpy()
    yield from _residuals("mlp", gain, leakjax=mine, captum=from_torch(alone))


def _residuals(network: str, gain: np.ndarray, **maps: np.ndarray) -> Iterator[Row]:
    for name, found in maps.items():
        missing = float(np.abs(found.sum((1, 2, 3)) - gain).max() / np.abs(gain).max())
        yield Row(network, f"  {name}: what is missing to f(x) - f(baseline)", missing)
