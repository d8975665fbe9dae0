"""Leakage with intervals, and the utility of explanations.

From scores to numbers: `resample` draws points and targets, `rates_of` counts what an attack catches in every
resample, `leakage_of` and `margin` make estimates of it. The rows of a report are in `document`.
"""

from leakjax.evaluate.bootstrap import Resamples, estimate, resample
from leakjax.evaluate.document import Estimate, LeakageRow, Report, from_json, to_json
from leakjax.evaluate.leakage import FPRS, Leakage, chance_tpr, headline_fpr, margin
from leakjax.evaluate.leakage import leakage as leakage_of
from leakjax.evaluate.roc import Rates, mean_curve, rates_of
from leakjax.evaluate.utility import (
    cosine_similarity,
    explanation_change,
    rank_correlation,
    relative_change,
    top_overlap,
)

__all__ = [
    "FPRS",
    "Estimate",
    "Leakage",
    "LeakageRow",
    "Rates",
    "Report",
    "Resamples",
    "chance_tpr",
    "cosine_similarity",
    "estimate",
    "explanation_change",
    "from_json",
    "headline_fpr",
    "leakage_of",
    "margin",
    "mean_curve",
    "rank_correlation",
    "rates_of",
    "relative_change",
    "resample",
    "to_json",
    "top_overlap",
]
