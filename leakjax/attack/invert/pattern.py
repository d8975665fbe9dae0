"""Inversion towards a given explanation: an input is changed until the service explains it as the released one.

Whoever may ask about inputs next to a guess sees how its explanation changes, and solves for the change that is sought:
damped least squares (Levenberg, Marquardt), without a weight of the model. All targets go in lock-step.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least, positive
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, the range of inputs, and a guess to begin at"
DAMPINGS = (1e-4, 1e-2, 1.0)  # tried at once, relative to the mean square of the slopes


class Matched(NamedTuple):
    """Where the searches ended.

    Attributes:
      x: [targets, ...], of each the input whose explanation is nearest to the released one.
      distance: [targets], of these explanations, over the norm of the released one; infinite where none was answered.
      note: what kept the attack from going on, "" if nothing did.
    """

    x: np.ndarray
    distance: np.ndarray
    note: str


def match_pattern(
    oracle: Oracle[Answer],
    released: Answer,
    start: np.ndarray,
    *,
    steps: int,
    probe: float = 0.02,
    low: float = 0.0,
    high: float = 1.0,
) -> Matched:
    """Searches inputs that are explained like the subjects of released answers.

    Args:
      oracle: of the same service and release; explains the class that is asked for.
      released: the answers [targets].
      start: [targets, ...], where each search begins.
      steps: of each search at most; one asks for as many explanations as there are features, and three.
      probe: by how much a feature is changed to see what its change does.
      low: least value of a feature.
      high: largest value of a feature.

    Returns:
      `Matched`.

    Raises:
      UsageError: no steps, or a probe that is not positive.
    """
    at_least("steps", steps, 1)
    positive("probe", probe)
    shape, count = start.shape[1:], len(start)
    features = int(np.prod(shape))
    classes = released.explained_class[:, 0]
    sought = np.asarray(released.explanations[0], np.float64).reshape(count, -1)
    size = np.maximum(np.linalg.norm(sought, axis=1), 1e-30)

    def explained(x: np.ndarray) -> np.ndarray:
        """Maps [targets, inputs, numbers] of inputs [targets, inputs, features]."""
        asked = x.reshape(-1, *shape).astype(np.float32)
        answer = oracle.ask(asked, np.repeat(classes, x.shape[1]))
        return np.asarray(answer.explanations[0], np.float64).reshape(count, x.shape[1], -1)

    x = np.array(start, np.float64).reshape(count, features)
    here = explained(x[:, None])[:, 0]
    cost = np.nan_to_num(np.linalg.norm(here - sought, axis=1), nan=np.inf)
    note = "" if np.isfinite(cost).any() else "no query was answered after step 0"
    for step in range(steps if not note else 0):
        # Towards the middle of the range, so that no probe leaves it.
        change = np.where(x > (low + high) / 2, -probe, probe)
        slopes = explained(x[:, None] + change[:, None] * np.eye(features)) - here[:, None]
        if not np.isfinite(slopes).all(axis=(1, 2)).any():
            note = f"no query was answered after step {step}"
            break
        trials = _trials(x, slopes / change[:, :, None], sought - here, low, high)
        maps = explained(trials)
        costs = np.nan_to_num(np.linalg.norm(maps - sought[:, None], axis=2), nan=np.inf)
        best = costs.argmin(axis=1)
        better = costs.min(axis=1) < cost
        if not better.any():
            break
        rows = np.flatnonzero(better)
        x[rows], here[rows], cost[rows] = (
            trials[rows, best[rows]],
            maps[rows, best[rows]],
            costs[rows, best[rows]],
        )
    return Matched(x.reshape(start.shape).astype(np.float32), cost / size, note)


def _trials(x: np.ndarray, slopes: np.ndarray, missing: np.ndarray, low: float, high: float) -> np.ndarray:
    """Next inputs [targets, dampings, features], from slopes [targets, features, numbers]."""
    slopes, missing = np.nan_to_num(slopes), np.nan_to_num(missing)
    square = slopes @ slopes.swapaxes(1, 2)
    pull = (slopes @ missing[..., None])[..., 0]
    mean = np.maximum(np.trace(square, axis1=1, axis2=2) / x.shape[1], 1e-30)
    unit = np.eye(x.shape[1])
    moved = [
        x + np.linalg.solve(square + (damping * mean)[:, None, None] * unit, pull[..., None])[..., 0]
        for damping in DAMPINGS
    ]
    return np.clip(np.stack(moved, axis=1), low, high)
