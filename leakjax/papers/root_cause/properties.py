"""What explanations are like, as numbers: sparse, sensitive, different from model to model, telling the confidence."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, apply
from leakjax.evaluate.utility_local import max_sensitivity
from leakjax.explain import Explainer

# Maps of so many models at so many points are looked at.
MODELS, POINTS = 16, 64
_MOVED_MODELS, _MOVED_POINTS, _MOVES = 4, 32, 5
# Of the root mean square deviation of a feature: how far the nearby queries of the sensitivity lie.
_RADIUS = 0.1
_KEY = 13  # of the subject's key
_LEAST = 1e-12


class Properties(NamedTuple):
    """Of the released maps of one explainer; see the fields of `CaseRow` by these names."""

    sparsity: float
    sensitivity: float
    distinctness: float
    carried_confidence: float


def properties(
    subject: Subject, explainer: Explainer, defense: Defense, explained: np.ndarray, confidence: np.ndarray
) -> Properties:
    """Looks at the released maps of some models at some points.

    Args:
      subject: models and points.
      explainer: of one example.
      defense: through which every map passes.
      explained: int [models, points], the explained class.
      confidence: [models, points], log-odds of the predicted class.
    """
    models = np.arange(min(MODELS, subject.models))
    rows = np.unique(np.linspace(0, len(subject.points.x) - 1, POINTS).astype(int))
    x, ids = jnp.asarray(subject.points.x[rows]), jnp.asarray(subject.points.ids[rows])
    variables = jax.tree.map(lambda leaf: leaf[models], subject.variables)
    key = jax.random.fold_in(subject.key, _KEY)

    def released(own: Any, number: Any, x: jax.Array, shown: Any, point: Any) -> jax.Array:
        mine = jax.random.fold_in(jax.random.fold_in(key, number), point)
        plain = explainer(own, x, shown, key=jax.random.fold_in(mine, 0))
        return apply(defense, plain, key=jax.random.fold_in(mine, 1), x=x)

    over = lambda one: jax.jit(jax.vmap(jax.vmap(one, (None, None, 0, 0, 0)), (0, 0, None, 0, None)))
    classes = jnp.asarray(explained[models][:, rows])
    maps = np.asarray(over(released)(variables, jnp.asarray(models), x, classes, ids), np.float64)

    radius = _RADIUS * float(np.std(subject.points.x, axis=0).mean())

    def moved(own: Any, number: Any, x: jax.Array, shown: Any, point: Any) -> jax.Array:
        explain = lambda query: released(own, number, query, shown, point)
        return max_sensitivity(explain, x, key=jax.random.fold_in(key, point), radius=radius, samples=_MOVES)

    few = lambda tree: jax.tree.map(lambda leaf: leaf[:_MOVED_MODELS], tree)
    part = slice(0, _MOVED_POINTS)
    changes = over(moved)(
        few(variables), jnp.asarray(models[:_MOVED_MODELS]), x[part], classes[:_MOVED_MODELS, part], ids[part]
    )
    return Properties(
        sparsity(maps),
        float(np.log10(max(np.nanmean(np.minimum(np.asarray(changes), 1e6)), _LEAST))),
        distinctness(maps),
        carried(maps, confidence[models][:, rows]),
    )


def sparsity(maps: np.ndarray) -> float:
    """Hoyer's measure, the mean over maps [models, points, ...]: 0 where all values are alike, 1 where one is not 0."""
    flat = np.abs(maps.reshape(-1, int(np.prod(maps.shape[2:]))))
    norm = np.sqrt((flat**2).sum(axis=1))
    root = np.sqrt(flat.shape[1])
    there = norm > 0
    if not there.any():
        return float("nan")
    return float(np.mean((root - flat[there].sum(axis=1) / norm[there]) / (root - 1)))


def distinctness(maps: np.ndarray) -> float:
    """1 less the mean cosine between two models' maps of one point, the mean over points."""
    flat = maps.reshape(*maps.shape[:2], -1)
    unit = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), _LEAST)
    count = len(unit)
    total = (unit.sum(axis=0) ** 2).sum(axis=-1)
    own = (unit**2).sum(axis=(0, 2))
    return float(1 - np.mean((total - own) / (count * (count - 1))))


def carried(maps: np.ndarray, confidence: np.ndarray) -> float:
    """Adjusted R^2 of the confidence on a map's log-norm and sum, over models at a point, the mean over points.

    Args:
      maps: [models, points, ...].
      confidence: [models, points].
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    read = np.stack([np.log(np.abs(flat).sum(-1) + _LEAST), flat.sum(-1)], axis=-1)
    shares = []
    for point in range(maps.shape[1]):
        told, wanted = read[:, point], confidence[:, point]
        told, wanted = told - told.mean(axis=0), wanted - wanted.mean()
        if not (np.isfinite(told).all() and np.isfinite(wanted).all() and (wanted**2).sum() > 0):
            continue
        found, *_ = np.linalg.lstsq(told / (told.std(axis=0) + _LEAST), wanted, rcond=None)
        rest = wanted - (told / (told.std(axis=0) + _LEAST)) @ found
        count = len(wanted)
        shares.append(1 - (rest @ rest) / (count - 3) / ((wanted @ wanted) / (count - 1)))
    return float(np.mean(shares)) if shares else float("nan")
