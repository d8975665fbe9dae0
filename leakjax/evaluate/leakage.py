"""What an attack's scores are worth, what an explanation adds, and what chance alone would give."""

from collections.abc import Mapping
from typing import NamedTuple, get_args

import numpy as np
from scipy import special

from leakjax.evaluate.bootstrap import Resamples, estimate, mean_over_targets
from leakjax.evaluate.document import Estimate, Rate
from leakjax.evaluate.roc import Rates, allowed

RATES: tuple[Rate, ...] = get_args(Rate)
FPRS = tuple(float(rate) for rate in RATES)
# The headline is the lowest false-positive rate that allows at least this many false positives.
_LEAST_FALSE_POSITIVES = 5
# Quantiles over which a mean is taken, by the midpoint rule.
_LEVELS = 2**16


class Leakage(NamedTuple):
    """What one attack finds, each the mean over targets with its interval; `tpr_at_fpr` by "0.001" and "0.01"."""

    auc: Estimate
    tpr_at_fpr: Mapping[Rate, Estimate]


def leakage(rates: Rates, resamples: Resamples) -> Leakage:
    """Sums up `rates_of(..., FPRS)` over targets."""
    tpr = {rate: estimate(mean_over_targets(rates.tpr[i], resamples)) for i, rate in enumerate(RATES)}
    return Leakage(estimate(mean_over_targets(rates.auc, resamples)), tpr)


def margin(both: Rates, prediction: Rates, resamples: Resamples) -> Leakage:
    """What `both` has beyond `prediction`, paired per target and resample."""
    return leakage(Rates(both.auc - prediction.auc, both.tpr - prediction.tpr), resamples)


def headline_fpr(nonmembers: int) -> Rate:
    """The false-positive rate that may lead: "0.001" if it allows five false positives, else "0.01"."""
    return RATES[0] if allowed(FPRS[0], nonmembers) >= _LEAST_FALSE_POSITIVES else RATES[1]


def chance_tpr(fpr: float, nonmembers: int) -> float:
    """The expected true-positive rate without any leakage: the threshold itself is one of n + 1 equal ranks."""
    return float((allowed(fpr, nonmembers) + 1) / (nonmembers + 1))


def planted_tpr(shift: float, fpr: float, nonmembers: int) -> float:
    """The expected true-positive rate where members' scores are N(shift, 1) and non-members' N(0, 1).

    With ever more non-members this is Phi(Phi^-1(fpr) + shift); with n of them the threshold is their
    (floor(fpr n) + 1)-th highest score, over whose Beta distribution this is the mean.
    """
    limit = allowed(fpr, nonmembers)
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    above = special.betaincinv(limit + 1, nonmembers - limit, levels)
    return float(special.ndtr(special.ndtri(above) + shift).mean())


__all__ = [
    "FPRS",
    "RATES",
    "Leakage",
    "Rates",
    "chance_tpr",
    "headline_fpr",
    "leakage",
    "margin",
    "planted_tpr",
]
