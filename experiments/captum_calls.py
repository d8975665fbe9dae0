"""The methods that leakjax and captum share, at the budgets of the benchmark: our options, captum's calls."""

from collections.abc import Callable
from typing import Any

import captum.attr as theirs
import torch
from captum._utils.models.linear_model import SkLearnRidge

from leakjax.explain import grid

from .captum_bridge import Pair

SIDE = 28
CELLS = grid((SIDE, SIDE, 1), 4)
SAMPLES = 128  # of LIME and KernelSHAP, on 16 segments
ORDERS = 10
STEPS = 20

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
