"""Class activation maps: GradCAM, GradCAM++ and Guided GradCAM, on a layer inside a traced function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from leakjax._validate import fail
from leakjax.explain.backprop.rectifiers import guided_backprop
from leakjax.explain.jaxpr import evaluate, walk
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of

Weigh = Callable[[jax.Array, jax.Array], jax.Array]


def tag(activation: jax.Array, name: str) -> jax.Array:
    """`activation` itself, named in the model for `gradcam(..., layer=name)`."""
    return checkpoint_name(activation, name)


@registered("class activation", runs=1)
def gradcam(logits_fn: LogitsFn, *, layer: str | None = None, output: str = "logit") -> Explainer:
    """Activations of a layer, weighted by the spatial mean of their gradients; one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      layer: Name that the model gave to an activation by `tag`; by default the last spatial activation, which
        is the last value of the shape that the last convolution put out, or where there is none, the last matrix
        product over an image.
      output: What is explained.

    Returns:
      The explainer; maps have x's shape with one channel, resized to x bilinearly and never negative.

    Raises:
      UsageError: When called, on a model without a convolution, or a layer that it does not have.

    Source: Selvaraju et al. 2017, "Grad-CAM", section 3.
    """
    return explainer_of(logits_fn, _map_of(logits_fn, layer, output, _mean_gradient))


@registered("class activation", runs=1)
def gradcam_pp(logits_fn: LogitsFn, *, layer: str | None = None, output: str = "logit") -> Explainer:
    """GradCAM with weights from spatial sums of positive gradients; arguments as for `gradcam`.

    The output enters through its exponential, as in the paper; the factor exp(output), the same for the whole
    map, is left out.

    Source: Chattopadhyay et al. 2018, "Grad-CAM++", section 3, equations 10, 11 and 19.
    """
    return explainer_of(logits_fn, _map_of(logits_fn, layer, output, _plus_plus))


@registered("class activation", runs=2)
def guided_gradcam(logits_fn: LogitsFn, *, layer: str | None = None, output: str = "logit") -> Explainer:
    """Guided backpropagation times the GradCAM map, in x's shape; arguments as for `gradcam`.

    Source: Selvaraju et al. 2017, "Grad-CAM", section 3.2.
    """
    coarse = _map_of(logits_fn, layer, output, _mean_gradient)
    fine = guided_backprop(logits_fn, output=output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        return fine(variables, x, target, key=key) * coarse(variables, x, target, key, segments)

    return explainer_of(logits_fn, attribute)


def _mean_gradient(activation: jax.Array, gradient: jax.Array) -> jax.Array:
    return gradient.mean((0, 1))


def _plus_plus(activation: jax.Array, gradient: jax.Array) -> jax.Array:
    below = 2 * gradient**2 + activation.sum((0, 1), keepdims=True) * gradient**3
    shares = jnp.where(below != 0, gradient**2 / jnp.where(below != 0, below, 1), 0)
    return (shares * jnp.maximum(gradient, 0)).sum((0, 1))


def _map_of(logits_fn: LogitsFn, layer: str | None, output: str, weigh: Weigh) -> Any:
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        activation, gradient = at_layer(lambda place: scalar(variables, place, target), x, layer)
        seen = jnp.maximum((activation * weigh(activation, gradient)[None, None]).sum(-1, keepdims=True), 0)
        return jax.image.resize(seen, (*x.shape[:-1], 1), "linear")

    return attribute


def at_layer(
    fn: Callable[[jax.Array], jax.Array], x: jax.Array, layer: str | None
) -> tuple[jax.Array, jax.Array]:
    """A layer's activation [height, width, channels] at x, and a scalar function's gradient by it.

    Raises:
      UsageError: On a function without such a layer, or with one that is not spatial.
    """
    closed = jax.make_jaxpr(fn)(x)
    chosen = _named(closed.jaxpr, layer) if layer is not None else _last_spatial(closed.jaxpr)
    shape = _spatial(chosen.aval.shape)

    def shifted(by: jax.Array) -> tuple[jax.Array, jax.Array]:
        seen = []

        def visit(equation: Any, inputs: list[Any]) -> list[Any]:
            found = evaluate(equation, inputs)
            if chosen in equation.outvars:
                place = equation.outvars.index(chosen)
                seen.append(found[place].reshape(shape))
                found[place] = found[place] + by.reshape(chosen.aval.shape)
            return found

        outputs = walk(closed.jaxpr, closed.consts, [x], visit, _opens)
        return outputs[0], seen[0]

    gradient, activation = jax.grad(shifted, has_aux=True)(jnp.zeros(shape, chosen.aval.dtype))
    return activation, gradient


def _opens(equation: Any, inputs: list[Any]) -> bool:
    """Calls are opened to reach a layer, but custom derivatives stay whole and scans in one piece."""
    return not equation.primitive.name.startswith("custom") and equation.primitive.name != "scan"


def _equations(jaxpr: Any) -> Any:
    """The equations in the order in which `walk` visits them."""
    found: list[Any] = []

    def visit(equation: Any, inputs: list[Any]) -> list[Any]:
        found.append(equation)
        return [None] * len(equation.outvars)

    walk(jaxpr, [None] * len(jaxpr.constvars), [None] * len(jaxpr.invars), visit, _opens)
    return found


def _named(jaxpr: Any, layer: str) -> Any:
    equations = [e for e in _equations(jaxpr) if e.primitive.name == "name"]
    for equation in equations:
        if equation.params["name"] == layer:
            if _spatial(equation.outvars[0].aval.shape) is None:
                raise fail("layer", layer, f"must be spatial, not of shape {equation.outvars[0].aval.shape}")
            return equation.outvars[0]
    names = sorted(e.params["name"] for e in equations)
    raise fail("layer", layer, f"must be a tag of the model: {', '.join(names) or 'it has none'}")


def _last_spatial(jaxpr: Any) -> Any:
    equations = _equations(jaxpr)
    shape = None
    # A network may convolve by matrix products over shifted slices: its feature maps come out of those.
    for primitive in ("dot_general", "conv_general_dilated"):
        for equation in equations:
            if equation.primitive.name == primitive:
                shape = _spatial(equation.outvars[0].aval.shape) or shape
    if shape is None:
        raise fail(
            "layer", None, "finds no feature map of an image; name an activation by leakjax.explain.tag"
        )
    same = [
        v
        for equation in equations
        for v in equation.outvars
        if _spatial(v.aval.shape) == shape and jnp.issubdtype(v.aval.dtype, jnp.floating)
    ]
    return same[-1]


def _spatial(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """[height, width, channels] of a shape with at most leading ones before them; None of another."""
    if len(shape) < 3 or any(side != 1 for side in shape[:-3]):
        return None
    return shape[-3:]
