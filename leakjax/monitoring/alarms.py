"""When attacks alarm, at thresholds that were set on benign accounts before."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from leakjax.monitor import threshold, thresholds_together
from leakjax.monitoring.plan import RATES, SPLIT
from leakjax.monitoring.watch import Highest

ANY, ALL = "any_of_an_account", "any"


class Limits(NamedTuple):
    """Thresholds at one rate of false alarms.

    Attributes:
      alone: float [detectors], of each detector alone.
      any: float [detectors - 1], of those of one account, which alarm together.
      all: float [detectors], of all of them together.
    """

    alone: np.ndarray
    any: np.ndarray
    all: np.ndarray

    def of(self, name: str, names: tuple[str, ...]) -> dict[int, float]:
        """The detectors that a name stands for, by their places, and the threshold of each."""
        if name == ANY:
            return dict(enumerate(self.any))
        if name == ALL:
            return dict(enumerate(self.all))
        return {names.index(name): self.alone[names.index(name)]}


def detectors(names: tuple[str, ...]) -> tuple[str, ...]:
    """Every detector, alone and together."""
    return (*names, ANY, ALL)


def limits(calibration: Highest) -> Mapping[str, Limits]:
    """Thresholds of every rate, of benign accounts alone."""
    found: dict[str, Limits] = {}
    for rate in RATES:
        share = float(rate)
        alone = np.array([threshold(row, share) for row in calibration.whole])
        any_of = thresholds_together(calibration.whole[:-1], share)
        found[rate] = Limits(alone, any_of, thresholds_together(calibration.whole, share))
    return found


def alarming(highest: np.ndarray, chosen: Mapping[int, float]) -> np.ndarray:
    """Which accounts alarm: bool [accounts], of highest scores [detectors, accounts]."""
    return np.any([highest[place] > limit for place, limit in chosen.items()], axis=0)


def first_alarm(scores: Mapping[int, np.ndarray], chosen: Mapping[int, float]) -> np.ndarray:
    """The number of the query, from 1, at which an attack is found; 0 where it never is.

    Args:
      scores: by the place of a detector, float [attacks, moments]; of fewer attacks for some detectors.
      chosen: of `Limits.of`.

    Returns:
      int [attacks], as many as all detectors have.
    """
    attacks = min(len(scores[place]) for place in chosen)
    above = np.any([scores[place][:attacks] > limit for place, limit in chosen.items()], axis=0)
    return np.where(above.any(axis=1), above.argmax(axis=1) + 1, 0)


def in_order(scores: np.ndarray, attacks: int) -> np.ndarray:
    """Scores [detectors, attacks x SPLIT, each] of attacks over many accounts, by all their queries in order."""
    parts = scores.reshape(len(scores), attacks, SPLIT, -1)
    return np.swapaxes(parts, 2, 3).reshape(len(scores), attacks, -1)
