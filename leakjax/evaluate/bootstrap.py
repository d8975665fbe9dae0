"""Resampling of points and of target models, and the intervals that come of it."""

from typing import NamedTuple

import numpy as np

from leakjax.evaluate.document import Estimate

RESAMPLES = 200


class Resamples(NamedTuple):
    """How often each point and each target counts; column 0 is the data as they are.

    Two estimates made with the same `Resamples` are paired: their difference has an interval of its own.

    Attributes:
      points: float64 [points, 1 + resamples].
      targets: float64 [targets, 1 + resamples].
    """

    points: np.ndarray
    targets: np.ndarray


def resample(points: int, targets: int, *, seed: int, resamples: int = RESAMPLES) -> Resamples:
    """Draws points and targets with replacement, independently of each other (the data are crossed, not nested).

    Args:
      points: how many there are.
      targets: how many attacked models there are; a single one is not resampled.
      seed: of numpy's PCG64.
      resamples: how many.

    Returns:
      `Resamples`.
    """
    generator = np.random.Generator(np.random.PCG64(seed))

    def counts(size: int) -> np.ndarray:
        drawn = generator.multinomial(size, np.full(size, 1 / size), size=resamples).T
        # In C order: rows are gathered, and products with it are several times as fast.
        return np.ascontiguousarray(np.concatenate([np.ones((size, 1)), drawn], axis=1))

    of_targets = counts(targets) if targets > 1 else np.ones((1, 1 + resamples))
    return Resamples(counts(points), of_targets)


def estimate(replicates: np.ndarray) -> Estimate:
    """The value of the data as they are, with its percentile interval and standard error.

    Args:
      replicates: [1 + resamples]; the first is the value itself. Resamples without a value (NaN) are left out.

    Returns:
      An `Estimate` whose interval contains its value; all NaN where there is none.
    """
    value = float(replicates[0])
    rest = replicates[1:][np.isfinite(replicates[1:])]
    if not np.isfinite(value) or rest.size == 0:
        return Estimate(value, np.nan, np.nan)
    low, high = np.quantile(rest, [0.025, 0.975])
    return Estimate(value, float(min(low, value)), float(max(high, value)), error=float(rest.std()))


def mean_over_targets(replicates: np.ndarray, resamples: Resamples) -> np.ndarray:
    """The mean over (resampled) targets of a number per target.

    Args:
      replicates: [targets, 1 + resamples]; NaN where a target has none.
      resamples: the targets' weights.

    Returns:
      [1 + resamples].
    """
    weight = np.where(np.isfinite(replicates), resamples.targets, 0.0)
    with np.errstate(invalid="ignore"):
        return np.sum(weight * np.nan_to_num(replicates), axis=0) / weight.sum(axis=0)
