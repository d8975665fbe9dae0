"""Where a monitor begins to alarm: thresholds that a benign account crosses no more often than is allowed.

An account that nobody has seen lies above the largest of n benign scores with a chance of 1 / (n + 1), not 0. So an
account that helped to set thresholds is counted as an alarm where it would be one at those that the others set alone.
"""

import numpy as np

from leakjax._validate import fail
from leakjax.monitor.monitor import Monitor


def threshold(highest: np.ndarray, rate: float) -> float:
    """The lowest threshold that a benign account crosses no more often than the rate allows.

    Args:
      highest: [accounts], the highest score of each benign account.
      rate: share of benign accounts that may alarm, at least one over their number.

    Returns:
      A score; those above it alarm, those at it do not.

    Raises:
      UsageError: too few accounts for the rate, or scores that are not finite.
    """
    return float(thresholds_together(np.asarray(highest, float)[None], rate)[0])


def thresholds_together(highest: np.ndarray, rate: float) -> np.ndarray:
    """Thresholds of several monitors of which any may alarm: together they alarm at the rate.

    Every monitor may alarm on equally many benign accounts, as many as the rate allows for all of them together. Where
    that is less than one account, thresholds lie beyond the highest scores, each by the same share of how far these are
    above the median.

    Args:
      highest: [monitors, accounts], the highest score of each benign account.
      rate: share of benign accounts on which any may alarm.

    Returns:
      [monitors].

    Raises:
      UsageError: as `threshold`.
    """
    highest = _checked(highest, rate)
    allowed = min(int(rate * highest.shape[1] + 1e-9), highest.shape[1] - 1)
    ordered = np.sort(highest, axis=1)[:, ::-1]
    # Accounts that each monitor may alarm on: `least` is kept, more than `most` is not.
    least, most = 0, allowed
    while least < most:
        middle = (least + most + 1) // 2
        # Of the others alone: without one of these accounts the next lower score would be the threshold.
        alarmed = np.any(highest > ordered[:, middle, None], axis=0).sum()
        least, most = (middle, most) if alarmed <= allowed else (least, middle - 1)
    return ordered[:, least - 1] if least else _beyond(highest, ordered, allowed)


def set_threshold(monitor: Monitor, highest: np.ndarray, rate: float) -> Monitor:
    """The monitor with the threshold of `threshold`.

    Args:
      monitor: which.
      highest: [accounts], its highest score on each benign account.
      rate: share of benign accounts that may alarm.

    Raises:
      UsageError: as `threshold`.
    """
    return monitor._replace(threshold=threshold(highest, rate))


def _beyond(highest: np.ndarray, ordered: np.ndarray, allowed: int) -> np.ndarray:
    """Thresholds above the highest scores [monitors], at which all but `allowed` of the accounts there are quiet."""
    first, second, middle = ordered[:, 0], ordered[:, 1], np.median(ordered, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # By how much of the others' height the highest account is above them.
        apart = np.nan_to_num((first - second) / (second - middle), nan=0.0, posinf=np.inf)
    shares = np.sort(np.where(highest == first[:, None], apart[:, None], 0.0).max(axis=0))[::-1]
    return first + np.where(first > middle, shares[allowed - 1] * (first - middle), 0.0)


def _checked(highest: np.ndarray, rate: float) -> np.ndarray:
    highest = np.asarray(highest, float)
    if not 0 < rate < 1:
        raise fail("rate", rate, "must be above 0 and below 1")
    if highest.ndim != 2 or highest.shape[1] * rate < 1 - 1e-9:
        least = int(np.ceil(1 / rate - 1e-9))
        raise fail("rate", rate, f"needs at least {least} benign accounts, there are {highest.shape[-1]}")
    if not np.isfinite(highest).all():
        raise fail("highest", f"{int(np.sum(~np.isfinite(highest)))} not finite", "must be finite scores")
    return highest
