"""Class activation maps: GradCAM, GradCAM++ and Guided GradCAM, on a layer inside a traced function."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from leakjax.explain.axes import channel_axis_of
from leakjax.explain.backprop.rectifiers import guided_backprop
from leakjax.explain.feature_maps import FeatureMap, feature_map, from_variable
from leakjax.explain.registry import registered
from leakjax.explain.types import Explainer, LogitsFn, Variables, explainer_of, scalar_of

Weigh = Callable[[jax.Array, jax.Array], jax.Array]


@registered("class activation", runs=1)
def gradcam(
    logits_fn: LogitsFn,
    *,
    layer: str | None = None,
    channel_axis: int | str | None = "auto",
    output: str = "logit",
) -> Explainer:
    """Activations of a layer, weighted by the spatial mean of their gradients; one run of the model.

    Args:
      logits_fn: Logits [classes] of one example.
      layer: Name that the model gave to an activation by `tag`, with a number for one of several calls,
        "name[0]"; by default the last map over x's pixels, which is the last value of the form that the last
        convolution put out, or where there is none, the last matrix product over such a map.
      channel_axis: The axis of x that holds channels, None for none, or "auto": the one that the first
        convolution takes for its features.
      output: What is explained.

    Returns:
      The explainer; maps have x's shape with one channel, resized to x linearly and never negative.

    Raises:
      UsageError: When called, on a model without such a map, a layer that it does not have or that is no map over x's
        pixels, a tag that several calls share, or channels that cannot be told.

    Source: Selvaraju et al. 2017, "Grad-CAM", section 3.
    """
    return explainer_of(logits_fn, _map_of(logits_fn, layer, channel_axis, output, _mean_gradient))


@registered("class activation", runs=1)
def gradcam_pp(
    logits_fn: LogitsFn,
    *,
    layer: str | None = None,
    channel_axis: int | str | None = "auto",
    output: str = "logit",
) -> Explainer:
    """GradCAM with weights from spatial sums of positive gradients; arguments as for `gradcam`.

    The output enters through its exponential, as in the paper; the factor exp(output), the same for the whole
    map, is left out.

    Source: Chattopadhyay et al. 2018, "Grad-CAM++", section 3, equations 10, 11 and 19.
    """
    return explainer_of(logits_fn, _map_of(logits_fn, layer, channel_axis, output, _plus_plus))


@registered("class activation", runs=2)
def guided_gradcam(
    logits_fn: LogitsFn,
    *,
    layer: str | None = None,
    channel_axis: int | str | None = "auto",
    output: str = "logit",
) -> Explainer:
    """Guided backpropagation times the GradCAM map, in x's shape; arguments as for `gradcam`.

    Source: Selvaraju et al. 2017, "Grad-CAM", section 3.2.
    """
    coarse = _map_of(logits_fn, layer, channel_axis, output, _mean_gradient)
    fine = guided_backprop(logits_fn, output=output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        return fine(variables, x, target, key=key) * coarse(variables, x, target, key, segments)

    return explainer_of(logits_fn, attribute)


def _mean_gradient(activation: jax.Array, gradient: jax.Array) -> jax.Array:
    return gradient.mean(tuple(range(gradient.ndim - 1)), keepdims=True)


def _plus_plus(activation: jax.Array, gradient: jax.Array) -> jax.Array:
    places = tuple(range(gradient.ndim - 1))
    below = 2 * gradient**2 + activation.sum(places, keepdims=True) * gradient**3
    shares = jnp.where(below != 0, gradient**2 / jnp.where(below != 0, below, 1), 0)
    return (shares * jnp.maximum(gradient, 0)).sum(places, keepdims=True)


def _map_of(
    logits_fn: LogitsFn, layer: str | None, channel_axis: int | str | None, output: str, weigh: Weigh
) -> Any:
    scalar = scalar_of(logits_fn, output)

    def attribute(variables: Variables, x: jax.Array, target: Any, key: Any, segments: Any) -> jax.Array:
        fn = lambda variables, place: scalar(variables, place, target)
        found = feature_map(fn, variables, x, layer, channel_axis)
        if found is None:
            axis = channel_axis_of(x.shape, channel_axis)
            return jnp.zeros([1 if place == axis else side for place, side in enumerate(x.shape)], x.dtype)
        activation, gradient = at_layer(found, x)
        seen = jnp.maximum((activation * weigh(activation, gradient)).sum(-1), 0)
        shape = [side for axis, side in enumerate(x.shape) if axis != found.channel_axis]
        resized = jax.image.resize(seen, shape, "linear")
        return resized if found.channel_axis is None else jnp.expand_dims(resized, found.channel_axis)

    return attribute


def at_layer(found: FeatureMap, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A layer's activation [places of x ..., channels] at x, and the function's gradient by it."""
    activation, rest = from_variable(found.program, found.variable, x)
    gradient = jax.grad(rest)(activation)
    return found.arranged(activation), found.arranged(gradient)
