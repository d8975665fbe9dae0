"""What an explainer takes and answers, and what a defense makes of it."""

from typing import Any

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.auditing.door.calls import calling, check_takes
from leakjax.defend import Defense, apply
from leakjax.explain import Explainer

_WHAT = "explainers"


def check_explainer(name: str, explainer: Explainer, variables: Any, x: Any) -> jax.ShapeDtypeStruct:
    """Traces an explainer as the audit will run it, mapped over models and points.

    Args:
      name: as errors call it.
      explainer: of one example.
      variables: of one model; shapes and types alone are looked at, as of `x`.
      x: one example.

    Returns:
      The form of one attribution.

    Raises:
      UsageError: it takes no key, cannot be traced, or answers with anything but one array of x's shape or of
        x.shape[:-1] + (1,).
      Exception: its own.
    """
    call = "(variables, x, target, *, key), one example and a key that it may ignore"
    check_takes(_WHAT, name, explainer, call, None, None, None, key=None)

    def one(variables: Any, x: jax.Array, target: jax.Array, key: jax.Array) -> jax.Array:
        return explainer(variables, x, target, key=key)

    mapped = jax.vmap(jax.vmap(one, in_axes=(None, 0, 0, None)), in_axes=(0, None, None, None))
    key = jax.eval_shape(lambda: jax.random.key(0))
    some, few = jax.eval_shape(_twice, (variables, x))
    with calling(_WHAT, name):
        found = jax.eval_shape(mapped, some, few, jax.ShapeDtypeStruct((2,), jnp.int32), key)
    if not hasattr(found, "shape"):
        rule = f"must return one array, the attribution, not a {type(found).__name__}"
        raise _validate.fail(_WHAT, name, rule)
    shape = found.shape[2:]
    if shape not in (x.shape, (*x.shape[:-1], 1)):
        rule = f"returns {shape} for one example of shape {x.shape}; must return {x.shape}, or 1 in place of the last"
        raise _validate.fail(_WHAT, name, rule)
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise _validate.fail(_WHAT, name, f"returns {found.dtype}; must return a floating type")
    return jax.ShapeDtypeStruct(shape, found.dtype)


def check_defense(defense: Defense, attribution: jax.ShapeDtypeStruct, x: Any) -> None:
    """Traces a defense on an attribution of a query, as the audit will apply it.

    Raises:
      UsageError: it cannot be traced, or answers with anything but one array.
      Exception: its own.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    answers: list[type] = []

    def defended(attribution: jax.Array, key: jax.Array, x: jax.Array) -> jax.Array | None:
        answer = apply(defense, attribution, key=key, x=x)
        answers.append(type(answer))
        return answer if hasattr(answer, "shape") else None

    with calling("defenses", defense.name):
        found = jax.eval_shape(defended, attribution, key, x)
    if found is None:
        rule = f"must return one array, not a {answers[-1].__name__}"
        raise _validate.fail("defenses", defense.name, rule)
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise _validate.fail("defenses", defense.name, f"returns {found.dtype}; must return a floating type")


def _twice(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), tree)
