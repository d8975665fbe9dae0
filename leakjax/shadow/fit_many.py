"""A trainer of the user's own, as of scikit-learn, run on the members of every model."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import Progress

from leakjax import _workdir
from leakjax._validate import fail, same_shape
from leakjax._workdir.fingerprint import fingerprint
from leakjax._workdir.functions import traced

OnFit = Callable[[int, int], object]  # models done, models in all


def fit_many(
    fit: Callable[[np.ndarray, np.ndarray], Any],
    x: np.ndarray,
    y: np.ndarray,
    membership: np.ndarray,
    *,
    workdir: _workdir.Store = None,
    progress: bool | OnFit = True,
) -> list[Any]:
    """Fits one model for each row of `membership`, on its members alone.

    With a workdir each finished fit is kept in it, under a fingerprint of its data, of the code of `fit` and of all
    that `fit` refers to, and the same call goes on where it stopped. What is kept is arrays: `fit` then returns what
    is needed of a model (its weights, or its answers to all points), not the model.

    Args:
      fit: (features of the members [members, ...], their labels [members]) -> what is needed of the fitted model.
      x: [points, ...].
      y: [points].
      membership: bool [models, points], as `leakjax.data.membership` draws it.
      workdir: a folder, or one that is claimed already; nothing is kept where it is None.
      progress: whether a bar is drawn on standard error, or what is called after each fit with the number of models
        done and of all.

    Returns:
      What `fit` returned for each model; `leakjax.shadow.from_models` makes an ensemble of weights.

    Raises:
      UsageError: shapes that disagree, a model without members, or something that no workdir keeps.
    """
    x, y, membership = np.asarray(x), np.asarray(y), np.asarray(membership)
    if membership.dtype != bool or membership.ndim != 2:
        raise fail("membership", f"{membership.dtype} {membership.shape}", "must be bool [models, points]")
    same_shape("membership", membership.shape[1:], (len(x),), "the points")
    same_shape("y", y.shape, (len(x),), "one label a point")
    for model in np.flatnonzero(~membership.any(axis=1)):
        raise fail("membership", f"model {model}", "has no member to be trained on")
    code = "" if workdir is None else _code(fit)

    def one(store: _workdir.Workdir | None, members: np.ndarray) -> Any:
        own_x, own_y = x[members], y[members]
        if store is None:
            return fit(own_x, own_y)
        name = f"fit {np.packbits(members).tobytes().hex()[:16]}"
        try:
            return store.stage(
                name, fingerprint(x=own_x, y=own_y, members=members, fit=code), lambda: fit(own_x, own_y)
            )
        except TypeError as error:
            if not str(error).startswith("a stage"):
                raise
            rule = f"{error}; return the arrays that are needed, or leave workdir out"
            raise fail("fit", getattr(fit, "__name__", "fit"), rule) from None

    with (
        _workdir.opened(workdir) as store,
        Progress(console=Console(stderr=True), disable=progress is not True) as bar,
    ):
        task, found = bar.add_task("fitting models", total=len(membership)), []
        for members in membership:
            found.append(one(store, members))
            bar.advance(task)
            if callable(progress):
                progress(len(found), len(membership))
    return found


def _code(fit: Callable[..., Any]) -> str:
    """A digest of a function that JAX cannot trace: of its code, and of what it refers to and closes over."""
    called = lambda x: jax.pure_callback(fit, jax.ShapeDtypeStruct((), np.float32), x)
    return traced(called, jax.ShapeDtypeStruct((1,), np.float32))
