"""Every explainer by name, with its family and its cost; each is registered where it is defined.

A new method is one file in backprop/, masking/ or examples/ with `@registered(...)` above its factory: nothing
else lists it.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from leakjax._spec import Call, Registry
from leakjax.explain.inside import door
from leakjax.explain.named import Named, named_of
from leakjax.explain.types import LogitsFn, Method

# What other libraries and papers call our methods, for hints alone.
_ALIASES = {
    "ablation": "feature_ablation",
    "deconvolution": "deconvnet",
    "expectedgradients": "gradient_shap",
    "grad": "gradient",
    "gradcam++": "gradcam_pp",
    "gradcamplusplus": "gradcam_pp",
    "gradientxinput": "input_x_gradient",
    "gradxinput": "input_x_gradient",
    "guidedbackpropagation": "guided_backprop",
    "guidedbp": "guided_backprop",
    "ig": "integrated_gradients",
    "inputtimesgradient": "input_x_gradient",
    "intgrad": "integrated_gradients",
    "intgrads": "integrated_gradients",
    "layerwise": "lrp",
    "layerwiserelevancepropagation": "lrp",
    "permutation": "feature_permutation",
    "permutationimportance": "feature_permutation",
    "saliency": "gradient",
    "shap": "kernel_shap",
    "shapley": "shapley_sampling",
    "shapleyvalues": "shapley_sampling",
    "slidingwindow": "occlusion",
    "vanillagradient": "gradient",
}

EXPLAINERS: Registry[Method] = Registry("explainers", _ALIASES)
EXAMPLE_EXPLAINERS: Registry[Method] = Registry("explainers")

Factory = TypeVar("Factory", bound=Callable[..., Any])
P = ParamSpec("P")
Made = TypeVar("Made", covariant=True)


class Registered(Protocol[P, Made]):
    """A registered factory: of a model it makes an explainer; without one, a method that an audit makes of its own."""

    @overload
    def __call__(self, logits_fn: LogitsFn, /, *args: P.args, **options: P.kwargs) -> Made: ...

    @overload
    def __call__(self, *args: P.args, **options: P.kwargs) -> Named: ...


def registered(
    family: str,
    *,
    runs: int | Callable[..., int],
    stochastic: bool = False,
    masks: bool = False,
    needs_background: bool = False,
) -> Callable[[Callable[Concatenate[LogitsFn, P], Made]], Registered[P, Made]]:
    """Registers the factory below it under its own name.

    What it returns is called like the factory; without `logits_fn` it gives a `Named`, which stands in a list of
    explainers like its text: `lime(samples=100, grid=4)`.

    Args:
      family: as in `Method`; the methods of the family "example" go to `EXAMPLE_EXPLAINERS`.
      runs: of the model for one explanation: a number, or `runs(shape, players, **options) -> int` of the shape of
        one example, how many segments it has and all options of the factory, those not given at their defaults.
      stochastic: whether the attribution depends on the key.
      masks: whether the method masks features and therefore takes `segments`.
      needs_background: whether the factory's `background` is required.

    Returns:
      The decorator. Of an explainer of attributions it makes one whose factory takes `at`, a tag whose activation is
      explained in place of the example, and whose explainer takes examples of several arrays, a target of None where
      there is one output, and no key where it draws nothing.
    """

    def register(factory: Callable[Concatenate[LogitsFn, P], Made]) -> Registered[P, Made]:
        signature = inspect.signature(factory)
        defaults = {p.name: p.default for p in signature.parameters.values() if p.default is not p.empty}

        def cost(shape: tuple[int, ...], segments: int | None = None, /, **options: Any) -> int:
            if not callable(runs):
                return runs
            return runs(shape, math.prod(shape) if segments is None else segments, **{**defaults, **options})

        rows = EXAMPLE_EXPLAINERS if family == "example" else EXPLAINERS
        offered = factory if family == "example" else _with_doors(factory, signature, stochastic)
        method = Method(family, offered, stochastic, cost, masks, needs_background)
        rows.add(factory.__name__, method)

        @functools.wraps(offered)
        def either(*args: Any, **options: Any) -> Any:
            if not args and "logits_fn" not in options:
                return named_of(Call(factory.__name__, (), options), method)
            made = offered(*args, **options)
            if inspect.isfunction(made):
                made.__name__ = factory.__name__  # as lists of explainers call it
            return made

        return either

    return register


def _with_doors(factory: Factory, signature: inspect.Signature, stochastic: bool) -> Factory:
    """The factory with the option `at`, for examples of any kind."""

    if "at" in signature.parameters:  # it has them already
        return factory

    @functools.wraps(factory)
    def offered(logits_fn: Any, *, at: str | None = None, **options: Any) -> Any:
        return door(factory, logits_fn, options, at, stochastic)

    place = inspect.Parameter("at", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | None)
    offered.__signature__ = signature.replace(parameters=[*signature.parameters.values(), place])  # type: ignore[attr-defined]
    return cast(Factory, offered)


def rows_of(background: Any) -> int:
    """Runs of the model that the worth of one coalition takes: one for each row of the background, or one."""
    return 1 if background is None else len(background)
