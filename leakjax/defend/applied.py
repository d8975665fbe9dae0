"""A defense applied to one attribution, and an explainer that releases hardened attributions only."""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from leakjax import _precision, _validate
from leakjax.defend import exact
from leakjax.defend.defense import Defense, Explains
from leakjax.defend.domain import Domain

SAMPLERS = ("ideal", "exact")


def apply(
    defense: Defense,
    attribution: jax.Array,
    *,
    key: jax.Array | None,
    x: jax.Array | None = None,
    sampler: str = "ideal",
    bits: Callable[[int], bytes] = os.urandom,
) -> jax.Array:
    """Applies a defense to one attribution about which nothing is known beforehand.

    Args:
      defense: what to apply.
      attribution: one attribution, any shape.
      key: a typed key, of this attribution alone; None where `sampler` is "exact".
      x: the query that the attribution explains, for the transforms that need it (`project_out`).
      sampler: "ideal" draws floating-point numbers on the device, from a generator that is not meant to be secret: for
        measurements. "exact" draws integers on the host (see `exact.release`): what a claim of differential privacy
        to others needs.
      bits: for "exact", bits(n) -> n random bytes.

    Returns:
      What may be shown.

    Raises:
      UsageError: on another sampler, an attribution of whole numbers, and as of the stages.
    """
    _validate.one_of("sampler", sampler, SAMPLERS)
    if sampler == "ideal" and key is None:
        raise _validate.fail("key", key, 'must be given unless sampler="exact"')
    attribution = jnp.asarray(attribution)
    if not jnp.issubdtype(attribution.dtype, jnp.floating):
        raise _validate.fail("attribution.dtype", str(attribution.dtype), "must be a floating type")
    with _precision.stated():
        if sampler == "exact" or key is None:
            return exact.release(defense, attribution, x=x, bits=bits)
        return defense.apply(attribution, Domain(attribution.shape), key=key, x=x)


def harden(explainer: Explains, defense: Defense) -> Explains:
    """An explainer that releases hardened attributions only.

    Args:
      explainer: explainer(variables, x, target, *, key, segments=None) -> attribution.
      defense: what every attribution passes through.

    Returns:
      An explainer of the same signature. It folds its key into one for the explainer and one for the defense.
    """

    def hardened(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        attribution = explainer(variables, x, target, key=jax.random.fold_in(key, 0), segments=segments)
        return apply(defense, attribution, key=jax.random.fold_in(key, 1), x=x)

    return hardened
