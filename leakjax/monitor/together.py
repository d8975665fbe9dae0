"""Several monitors as one, and the set of them that suits some benign records."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import fail, positive
from leakjax.monitor.distances import distance_distribution
from leakjax.monitor.entropy import entropy
from leakjax.monitor.families import families, shared_budget
from leakjax.monitor.hashing import coarse_hashing
from leakjax.monitor.monitor import Monitor
from leakjax.monitor.off_distribution import off_distribution
from leakjax.monitor.steps import successive_steps

_CLOSE = 0.01  # quantile of the distances between nearest records, half of which is the radius of families
_COMPARED = 2000


def any_of(monitors: Sequence[Monitor]) -> Monitor:
    """One monitor that alarms where any of several does, each at its own threshold.

    Args:
      monitors: all shared or none, of equally many features.

    Returns:
      The monitor; its score is how many of them alarm, its threshold 0.

    Raises:
      UsageError: no monitors, or such that do not go together.
    """
    if not monitors:
        raise fail("monitors", "none", "must be at least one")
    for name in ("features", "shared"):
        if len({getattr(one, name) for one in monitors}) > 1:
            raise fail("monitors", [one.name for one in monitors], f"must be alike in {name}")
    limits = np.array([one.threshold for one in monitors], np.float32)

    def init() -> tuple[Any, ...]:
        return tuple(one.init() for one in monitors)

    def update(states: tuple[Any, ...], x: jax.Array) -> tuple[tuple[Any, ...], jax.Array]:
        after, scores = zip(
            *(one.update(state, x) for one, state in zip(monitors, states, strict=True)), strict=True
        )
        return tuple(after), jnp.sum(jnp.stack(scores) > limits, dtype=jnp.float32)

    name = f"any_of({', '.join(one.name for one in monitors)})"
    return Monitor(name, monitors[0].features, init, update, 0.0, monitors[0].shared)


def monitors_for(
    points: np.ndarray,
    *,
    noise: float,
    classify: Callable[[jax.Array], jax.Array] | None = None,
    classes: int = 1,
    radius: float | None = None,
    salt: int = 0,
) -> dict[str, Monitor]:
    """Every monitor, with the scale that benign records have; thresholds are still to be set.

    Args:
      points: [points, ...], benign records.
      noise: standard deviation of the sensor's noise, in their units.
      classify: of `distance_distribution`.
      classes: of `distance_distribution`.
      radius: of families; `family_radius` of the points if None.
      salt: of `coarse_hashing`.

    Returns:
      Monitors by short name: those of one account, and last the shared budget.

    Raises:
      UsageError: points of which nothing can be learned, by name.
    """
    x = np.asarray(points, np.float32).reshape(len(points), -1)
    features, near = x.shape[1], family_radius(x) if radius is None else radius
    return {
        "families": families(features, radius=near),
        "off_distribution": off_distribution(x, noise=noise),
        "successive_steps": successive_steps(features),
        "distance_distribution": distance_distribution(features, classify=classify, classes=classes),
        "coarse_hashing": coarse_hashing(features, low=float(x.min()), high=float(x.max()), salt=salt),
        "entropy": entropy(x),
        "shared_budget": shared_budget(features, radius=near),
    }


def family_radius(points: np.ndarray) -> float:
    """Half the distance below which 1 % of records have another one: nearer than records of two people are.

    Args:
      points: [points, ...], distinct; of more than 2,000 evenly spaced ones are compared.

    Raises:
      UsageError: records so close together that no radius is above 0.
    """
    x = np.asarray(points, np.float64).reshape(len(points), -1)
    if len(x) < 2:
        raise fail("points", len(x), "must be at least 2")
    x = x[:: -(-len(x) // _COMPARED)]
    squares = (x**2).sum(axis=1)
    squared = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0.0)
    np.fill_diagonal(squared, np.inf)
    radius = float(np.quantile(np.sqrt(squared.min(axis=1)), _CLOSE)) / 2
    positive("radius", radius)
    return radius
