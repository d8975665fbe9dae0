"""Where a monitor begins to alarm: thresholds that benign accounts cross no more often than is allowed."""

import numpy as np

from leakjax._validate import fail
from leakjax.monitor.monitor import Monitor


def threshold(highest: np.ndarray, rate: float) -> float:
    """The lowest threshold that no more benign accounts cross than the rate allows.

    Args:
      highest: [accounts], the highest score of each benign account.
      rate: share of benign accounts that may alarm, at least one over their number.

    Returns:
      A score; those above it alarm, those at it do not.

    Raises:
      UsageError: too few accounts for the rate, or scores that are not finite.
    """
    ordered = np.sort(_checked(highest, rate))[::-1]
    return float(ordered[_allowed(rate, len(ordered))])


def thresholds_together(highest: np.ndarray, rate: float) -> np.ndarray:
    """Thresholds of several monitors of which any may alarm: together they alarm at the rate.

    Every monitor may alarm on equally many benign accounts, as many as the rate allows for all of them together.

    Args:
      highest: [monitors, accounts], the highest score of each benign account.
      rate: share of benign accounts on which any may alarm.

    Returns:
      [monitors].

    Raises:
      UsageError: as `threshold`.
    """
    ordered = np.sort(np.stack([_checked(row, rate) for row in highest]), axis=1)[:, ::-1]
    allowed = _allowed(rate, highest.shape[1])
    least, most = (
        0,
        allowed,
    )  # accounts that each monitor may alarm on: `least` is kept, more than `most` is not
    while least < most:
        middle = (least + most + 1) // 2
        alarmed = np.any(highest > ordered[:, middle, None], axis=0).sum()
        least, most = (middle, most) if alarmed <= allowed else (least, middle - 1)
    return ordered[:, least]


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


def _checked(highest: np.ndarray, rate: float) -> np.ndarray:
    highest = np.asarray(highest, float)
    if not 0 < rate < 1:
        raise fail("rate", rate, "must be above 0 and below 1")
    if highest.ndim != 1 or len(highest) * rate < 1 - 1e-9:
        least = int(np.ceil(1 / rate - 1e-9))
        raise fail("rate", rate, f"needs at least {least} benign accounts, there are {len(highest)}")
    if not np.isfinite(highest).all():
        raise fail("highest", f"{int(np.sum(~np.isfinite(highest)))} not finite", "must be finite scores")
    return highest


def _allowed(rate: float, accounts: int) -> int:
    return min(int(rate * accounts + 1e-9), accounts - 1)
