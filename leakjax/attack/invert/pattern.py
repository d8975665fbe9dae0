"""Inversion towards a given explanation: an input is changed until the service explains it as the released one.

Whoever may ask about inputs next to a guess sees how its explanation changes, and solves for the change that is sought:
damped least squares (Levenberg, Marquardt), without a weight of the model. A guess is changed in the directions in
which public inputs of its class differ, each as much as they do: what an explanation leaves open stays what is usual.
All targets go in lock-step.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least, positive
from leakjax.attack import needed
from leakjax.attack.invert.prior import Prior
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, the range of inputs, and public data of each class"
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
    priors: Sequence[Prior],
    shape: tuple[int, ...],
    *,
    steps: int,
    directions: int = 128,
    probe: float = 0.1,
    low: float = 0.0,
    high: float = 1.0,
) -> Matched:
    """Searches inputs that are explained like the subjects of released answers.

    Args:
      oracle: of the same service and release; explains the class that is asked for.
      released: the answers [targets], with vectors of probabilities; of the predicted class.
      priors: of the inputs of each class; searches begin at their means.
      shape: of one input.
      steps: of each search at most; one asks for as many explanations as there are directions, and three.
      directions: in how many a guess is changed, those in which inputs of its class differ most.
      probe: how far a guess is changed in the first direction to see what that does; less far in the others.
      low: least value of a feature.
      high: largest value of a feature.

    Returns:
      `Matched`.

    Raises:
      UsageError: no steps, no direction, or a probe that is not positive.
    """
    at_least("steps", steps, 1)
    at_least("directions", directions, 1)
    positive("probe", probe)
    count = len(released.explained_class)
    classes = needed.vectors(released).argmax(axis=1)
    sought = np.asarray(needed.explanations(released)[0], np.float64).reshape(count, -1)
    size = np.maximum(np.linalg.norm(sought, axis=1), 1e-30)

    def explained(x: np.ndarray) -> np.ndarray:
        """Maps [targets, inputs, numbers] of inputs [targets, inputs, features]."""
        asked = x.reshape(-1, *shape).astype(np.float32)
        answer = oracle.ask(asked, np.repeat(classes, x.shape[1]))
        return np.asarray(needed.explanations(answer)[0], np.float64).reshape(count, x.shape[1], -1)

    x = np.stack([prior.mean for prior in priors])[classes]
    lengths, axes = np.linalg.eigh(np.stack([prior.covariance for prior in priors]))
    roots = (axes * np.sqrt(lengths / lengths[:, -1:])[:, None, :])[:, :, -directions:]
    probes = probe * roots.swapaxes(1, 2)[classes]  # [targets, directions, features]
    here = explained(x[:, None])[:, 0]
    cost = np.nan_to_num(np.linalg.norm(here - sought, axis=1), nan=np.inf)
    note = "" if np.isfinite(cost).any() else "no query was answered after step 0"
    for step in range(steps if not note else 0):
        changes = np.clip(x[:, None] + probes, low, high) - x[:, None]
        slopes = explained(x[:, None] + changes) - here[:, None]
        if not np.isfinite(slopes).all(axis=(1, 2)).any():
            note = f"no query was answered after step {step}"
            break
        trials = np.clip(x[:, None] + _steps(slopes, sought - here) @ changes, low, high)
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
    distance = np.where(np.isnan(size), np.inf, cost / size)  # of an explanation that is withheld
    return Matched(x.reshape(count, *shape).astype(np.float32), distance, note)


def _steps(slopes: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """How much of each change to make [targets, dampings, directions], from what changes did to maps."""
    slopes, missing = np.nan_to_num(slopes), np.nan_to_num(missing)
    square = slopes @ slopes.swapaxes(1, 2)
    pull = (slopes @ missing[..., None])[..., 0]
    mean = np.maximum(np.trace(square, axis1=1, axis2=2) / square.shape[1], 1e-30)
    raised = [square + (damping * mean)[:, None, None] * np.eye(square.shape[1]) for damping in DAMPINGS]
    return np.stack([np.linalg.solve(each, pull[..., None])[..., 0] for each in raised], axis=1)
