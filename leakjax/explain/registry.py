"""Every explainer by name, with its family and its cost."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from leakjax.explain.backprop.cam import gradcam, gradcam_pp, guided_gradcam
from leakjax.explain.backprop.deeplift import deeplift
from leakjax.explain.backprop.gradient_shap import gradient_shap
from leakjax.explain.backprop.gradients import gradient, input_x_gradient
from leakjax.explain.backprop.integrated import integrated_gradients
from leakjax.explain.backprop.lrp import lrp
from leakjax.explain.backprop.noisy import smoothgrad, smoothgrad_squared, vargrad
from leakjax.explain.backprop.rectifiers import deconvnet, guided_backprop
from leakjax.explain.examples.anchors import anchors
from leakjax.explain.examples.protodash import protodash
from leakjax.explain.masking.ablation import feature_ablation, feature_permutation, occlusion, window_covers
from leakjax.explain.masking.kernel_shap import kernel_shap, plan_of
from leakjax.explain.masking.lime import lime
from leakjax.explain.masking.shapley import exact_shapley, shapley_sampling
from leakjax.explain.types import Explainer, Method

Shape = tuple[int, ...]


def _backpropagation(
    factory: Callable[..., Explainer], runs: Callable[..., int], noisy: bool = False
) -> Method:
    return Method("backpropagation", factory, noisy, runs)


def _fixed(runs: int) -> Callable[..., int]:
    return lambda shape, segments=None, **options: runs


def _steps(shape: Shape, segments: int | None = None, *, steps: int = 50, **options: Any) -> int:
    return steps


def _samples(shape: Shape, segments: int | None = None, *, samples: int = 50, **options: Any) -> int:
    return samples


def _windows(
    shape: Shape, segments: int | None = None, *, window: Any = None, stride: Any = None, **options: Any
) -> int:
    return 1 + math.prod(len(cover) for cover in window_covers(shape, window, stride))


def _players(shape: Shape, segments: int | None) -> int:
    return math.prod(shape) if segments is None else segments


def _rows(background: Any) -> int:
    return 1 if background is None else len(background)


def _ablation(shape: Shape, segments: int | None = None, *, background: Any = None, **options: Any) -> int:
    return (1 + _players(shape, segments)) * _rows(background)


def _permutation(shape: Shape, segments: int | None = None, *, samples: int = 10, **options: Any) -> int:
    return 1 + samples * _players(shape, segments)


def _lime(
    shape: Shape,
    segments: int | None = None,
    *,
    samples: int | None = None,
    background: Any = None,
    **options: Any,
) -> int:
    return (2 * _players(shape, segments) + 256 if samples is None else samples) * _rows(background)


def _kernel_shap(
    shape: Shape,
    segments: int | None = None,
    *,
    samples: int | None = None,
    background: Any = None,
    **options: Any,
) -> int:
    players = _players(shape, segments)
    plan = plan_of(players, 2 * players + 256 if samples is None else samples)
    return (2 + len(plan.present) + 2 * plan.pairs) * _rows(background)


def _orders(
    shape: Shape, segments: int | None = None, *, samples: int = 26, background: Any = None, **options: Any
) -> int:
    return (2 + samples * (_players(shape, segments) - 1)) * _rows(background)


def _all(shape: Shape, segments: int | None = None, *, background: Any = None, **options: Any) -> int:
    return 2 ** _players(shape, segments) * _rows(background)


def _candidates(shape: Shape, segments: int | None = None, *, background: Any, **options: Any) -> int:
    return 1 + len(background)


def _rules(
    shape: Shape,
    segments: int | None = None,
    *,
    most: int = 4,
    beam: int = 2,
    samples: int = 200,
    **options: Any,
) -> int:
    players = _players(shape, segments)
    grown = sum((beam if held else 1) * (players - held) for held in range(min(most, players)))
    return samples * (1 + grown)


EXPLAINERS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": _backpropagation(gradient, _fixed(1)),
        "input_x_gradient": _backpropagation(input_x_gradient, _fixed(1)),
        "integrated_gradients": _backpropagation(integrated_gradients, _steps),
        "smoothgrad": _backpropagation(smoothgrad, _samples, noisy=True),
        "smoothgrad_squared": _backpropagation(smoothgrad_squared, _samples, noisy=True),
        "vargrad": _backpropagation(vargrad, _samples, noisy=True),
        "gradient_shap": _backpropagation(gradient_shap, _samples, noisy=True),
        "deeplift": _backpropagation(deeplift, _fixed(2)),
        "lrp": _backpropagation(lrp, _fixed(1)),
        "guided_backprop": _backpropagation(guided_backprop, _fixed(1)),
        "deconvnet": _backpropagation(deconvnet, _fixed(1)),
        "gradcam": Method("class activation", gradcam, False, _fixed(1)),
        "gradcam_pp": Method("class activation", gradcam_pp, False, _fixed(1)),
        "guided_gradcam": Method("class activation", guided_gradcam, False, _fixed(2)),
        "occlusion": Method("perturbation", occlusion, False, _windows),
        "feature_ablation": Method("perturbation", feature_ablation, False, _ablation, masks=True),
        "feature_permutation": Method(
            "perturbation", feature_permutation, True, _permutation, masks=True, needs_background=True
        ),
        "lime": Method("surrogate", lime, True, _lime, masks=True),
        "kernel_shap": Method("surrogate", kernel_shap, True, _kernel_shap, masks=True),
        "shapley_sampling": Method("surrogate", shapley_sampling, True, _orders, masks=True),
        "exact_shapley": Method("surrogate", exact_shapley, False, _all, masks=True),
    }
)

EXAMPLE_EXPLAINERS: Mapping[str, Method] = MappingProxyType(
    {
        "protodash": Method("example", protodash, False, _candidates, needs_background=True),
        "anchors": Method("example", anchors, True, _rules, masks=True, needs_background=True),
    }
)
