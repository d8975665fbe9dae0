"""Explains what is no array at the door of a function: an activation inside it, or inputs of several arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from leakjax._validate import fail
from leakjax.explain.axes import laid_out
from leakjax.explain.feature_maps import from_variable, tagged
from leakjax.explain.types import Explainer, LogitsFn, Variables

Make = Callable[..., Explainer]
# What flax raises where a module changes itself inside a transformation; flax is not imported for it.
MUTATIONS = ("TraceContextError", "ModifyScopeVariableError", "InvalidRngError")


def door(
    make: Make, logits_fn: LogitsFn, options: Mapping[str, Any], at: str | None, draws: bool
) -> Explainer:
    """The explainer of a factory, for examples of any kind.

    Args:
      make: The factory.
      logits_fn: Logits [classes] of one example.
      options: Of the factory.
      at: A tag whose activation is explained in place of the example; everything else is as at the example.
      draws: Whether the method needs a key.

    Returns:
      `explainer(variables, x, target=None, *, key=None, segments=None)`.
    """
    if not callable(logits_fn):
        raise fail(
            "logits_fn", logits_fn, "must be a function of variables and ONE example to its logits [classes]"
        )
    whole = make(logits_fn, **options)

    def explainer(
        variables: Variables, x: Any, target: Any = None, *, key: Any = None, segments: Any = None
    ) -> Any:
        if draws and not isinstance(key, jax.Array | np.ndarray):
            raise fail("key", key, "must be a jax.random.key: this method draws at random")
        if any(isinstance(leaf, bool | int | float | str) for leaf in jax.tree.leaves(x)):
            raise fail(
                "x", type(x).__name__, "must be an array, or a tree of arrays; np.asarray makes one of a list"
            )
        given = {"key": key, "segments": segments}
        try:
            if at is not None:
                rest, activation = _from_tag(logits_fn, variables, x, at)
                return make(rest, **options)((variables, x), activation, target, **given)
            if not jax.tree_util.all_leaves([x]):
                return _of_arrays(make, logits_fn, options, variables, x, target, given)
            return whole(variables, x, target, **given)
        except Exception as error:
            known = _known(error)
            if known is None:
                raise
            raise known from error

    return explainer


def _known(error: Exception) -> Exception | None:
    """What a user can do about an error of a library, as a UsageError; None where nothing is known."""
    if isinstance(error, ValueError) and "while_loop" in str(error):
        return fail(
            "primitive",
            "while",
            "has no derivative backward, and the example runs through it; use a scan or a fori_loop of a fixed "
            "number of steps, or a method without derivatives: occlusion, feature_ablation, lime, kernel_shap",
        )
    if type(error).__name__ in MUTATIONS:
        said = str(error).split(" (https")[0]
        return fail(
            "logits_fn",
            type(error).__name__,
            f"changes its own state ({said}): leave training mode, by model.eval() (nnx), train=False or "
            "use_running_average=True, deterministic=True (linen); an nnx module that keeps a state in eval mode, "
            "as a recurrent one, by nnx.merge(graph, variables, copy=True) in logits_fn",
        )
    return None


def _from_tag(logits_fn: LogitsFn, variables: Variables, x: Any, at: str) -> tuple[LogitsFn, jax.Array]:
    """Logits as a function of ((variables, x), activation), and the activation of the tag at x."""

    def parts(variables: Variables, x: Any) -> tuple[jax.Array, Callable[[jax.Array], jax.Array]]:
        x = jnp.asarray(x)
        program = laid_out(logits_fn, variables, x)
        return from_variable(program, tagged(program, at, "at"), x)

    def rest(place: tuple[Variables, Any], activation: jax.Array) -> jax.Array:
        return parts(*place)[1](activation)

    return rest, parts(variables, x)[0]


def _of_arrays(
    make: Make,
    logits_fn: LogitsFn,
    options: Mapping[str, Any],
    variables: Variables,
    x: Any,
    target: Any,
    given: Mapping[str, Any],
) -> Any:
    """The attribution of an example of several arrays, as that of one row of all their features."""
    leaves, form = jax.tree.flatten(x)
    for leaf in leaves:
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise fail(
                "x", str(jnp.result_type(leaf)), 'must be of floating types alone; explain others at="a tag"'
            )
    row, unravel = ravel_pytree(jax.tree.map(jnp.asarray, x))

    def of_row(variables: Variables, row: jax.Array) -> Any:
        return logits_fn(variables, unravel(row))

    raveled = dict(options)
    for name, ravel in (("baseline", _one_row), ("background", jax.vmap(_one_row))):
        if name in options and _alike(options[name], form):
            raveled[name] = ravel(jax.tree.map(jnp.asarray, options[name]))
    return unravel(make(of_row, **raveled)(variables, row, target, **given))


def _alike(value: Any, form: Any) -> bool:
    return bool(jax.tree.structure(value) == form)


def _one_row(value: Any) -> jax.Array:
    return ravel_pytree(value)[0]
