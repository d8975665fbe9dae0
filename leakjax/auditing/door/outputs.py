"""What a model answers."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.auditing.door.calls import calling, check_takes, name_of
from leakjax.data import Points
from leakjax.explain import LogitsFn

_WHAT = "logits_fn"
# A model is tried on so many points; rows that sum to 1 by chance are not that many.
_TRIED = 8


def check_logits(logits_fn: LogitsFn, variables: Any, points: Points) -> None:
    """Tries the first model on a few points, as the audit will call it.

    Args:
      logits_fn: what the caller gave.
      variables: of all models, leaves [models, ...].
      points: checked points.

    Raises:
      UsageError: it cannot be traced or mapped, or its logits are not one floating array [classes].
      Exception: its own.
    """
    if not callable(logits_fn):
        rule = "must be a function (variables of one model, one example) -> logits [classes]"
        raise _validate.fail(_WHAT, type(logits_fn).__name__, rule)
    check_takes(_WHAT, name_of(logits_fn), logits_fn, "(variables of one model, one example)", None, None)
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), variables)
    few = jnp.asarray(points.x[:_TRIED])
    with calling(_WHAT, name_of(logits_fn)):
        found = jax.eval_shape(logits_fn, own, few[0])
    if not hasattr(found, "shape"):
        raise _validate.fail(_WHAT, type(found).__name__, "must return one array, logits [classes]")
    if found.shape != (points.classes,):
        raise _validate.fail(_WHAT, found.shape, _shape_rule(found.shape, points.classes))
    if not jnp.issubdtype(found.dtype, jnp.floating):
        raise _validate.fail(_WHAT, str(found.dtype), "must return logits of a floating type")
    with calling(_WHAT, name_of(logits_fn)):
        logits = np.asarray(jax.vmap(logits_fn, in_axes=(None, 0))(own, few), np.float64)
    if len(logits) > 1 and (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1.0, atol=1e-3):
        warnings.warn(
            f"{_WHAT}={name_of(logits_fn)}: these look like probabilities, its values are not negative and sum to 1; "
            "logits are wanted, of which jax.numpy.log(probabilities) are some",
            stacklevel=4,
        )


def _shape_rule(shape: tuple[int, ...], classes: int) -> str:
    rule = f"must return logits ({classes},) for ONE example, as points.classes says"
    if shape == (1, classes):
        return f"{rule}; this is a batch, so take logits[0]"
    if shape in ((), (1,)) and classes == 2:
        return f"{rule}; for one logit z of the second class return jax.numpy.stack([0.0 * z, z])"
    return rule
