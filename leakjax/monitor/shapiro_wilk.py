"""The weights of Shapiro and Wilk's test of normality, for samples of any size up to some largest."""

import numpy as np
from scipy import stats

LEAST = 3  # samples have at least so many values


def weights(most: int) -> np.ndarray:
    """The weights of ordered values, a row for each size of a sample.

    Args:
      most: values of the largest sample.

    Returns:
      float64 [most + 1, most]: in row n the weights of a sample of n values in ascending order, zeros behind them, and
      zeros alone for samples below `LEAST`. W = (weights @ ordered)^2 / sum of squares about the mean.

    Source: Royston, "Remark AS R94" (Applied Statistics 44, 1995).
    """
    table = np.zeros((most + 1, most))
    for n in range(LEAST, most + 1):
        table[n, :n] = _weights(n)
    return table


def _weights(n: int) -> np.ndarray:
    if n == LEAST:
        return np.array([-np.sqrt(0.5), 0.0, np.sqrt(0.5)])
    expected = stats.norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    total, u = (expected**2).sum(), 1 / np.sqrt(n)
    scaled = expected / np.sqrt(total)
    last = np.polyval([-2.706056, 4.434685, -2.071190, -0.147981, 0.221157, scaled[-1]], u)
    found = np.zeros(n)
    ends = 1
    if n > 5:
        ends = 2
        before = np.polyval([-3.582633, 5.682633, -1.752461, -0.293762, 0.042981, scaled[-2]], u)
        found[-2], found[1] = before, -before
    found[-1], found[0] = last, -last
    left = 1 - 2 * (found[-ends:] ** 2).sum()
    rest = total - 2 * (expected[-ends:] ** 2).sum()
    found[ends:-ends] = expected[ends:-ends] * np.sqrt(left / rest)
    return found
