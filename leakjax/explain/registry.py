"""Every explainer by name, with its family and its cost."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from leakjax.explain.gradients import gradient, input_x_gradient
from leakjax.explain.integrated import integrated_gradients
from leakjax.explain.noisy import smoothgrad, smoothgrad_squared, vargrad
from leakjax.explain.types import Method


def _one(shape: tuple[int, ...], segments: int | None = None, **options: Any) -> int:
    return 1


def _steps(shape: tuple[int, ...], segments: int | None = None, *, steps: int = 50, **options: Any) -> int:
    return steps


def _samples(
    shape: tuple[int, ...], segments: int | None = None, *, samples: int = 50, **options: Any
) -> int:
    return samples


EXPLAINERS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": Method("backpropagation", gradient, False, _one),
        "input_x_gradient": Method("backpropagation", input_x_gradient, False, _one),
        "integrated_gradients": Method("backpropagation", integrated_gradients, False, _steps),
        "smoothgrad": Method("backpropagation", smoothgrad, True, _samples),
        "smoothgrad_squared": Method("backpropagation", smoothgrad_squared, True, _samples),
        "vargrad": Method("backpropagation", vargrad, True, _samples),
    }
)
