"""A mean over models with its interval: each model is one repetition of an experiment."""

import numpy as np
from scipy import stats

from leakjax.evaluate.document import Estimate
from leakjax.evaluate.roc import over_targets


def over_models(values: np.ndarray) -> Estimate:
    """The mean over models and its 95 % interval by Student's t.

    Args:
      values: [models]; a model without a value, NaN, does not count.

    Returns:
      The estimate; its interval is NaN where fewer than two models count.
    """
    found = over_targets(np.asarray(values, float))
    count = int(np.isfinite(values).sum())
    reach = float(stats.t.ppf(0.975, count - 1)) * found.error if count > 1 else float("nan")
    return Estimate(found.mean, found.mean - reach, found.mean + reach, found.error)


def correlations(signal: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Pearson's correlation of a signal with membership, model by model.

    Args:
      signal: [models, points].
      membership: bool [models, points].

    Returns:
      float64 [models]; NaN where the signal does not vary or is not finite.
    """
    found = np.full(len(signal), np.nan)
    for model, (values, member) in enumerate(zip(np.asarray(signal, float), membership, strict=True)):
        if np.isfinite(values).all() and np.ptp(values) > 0 and 0 < member.sum() < len(member):
            found[model] = np.corrcoef(values, member)[0, 1]
    return found
