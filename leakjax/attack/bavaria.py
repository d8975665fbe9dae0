"""BaVarIA: likelihood ratios whose variances are drawn towards that of all points by a conjugate prior.

Source: Brännvall, "Exponential-Family Membership Inference: From LiRA and RMIA to BaVarIA" (arXiv 2603.11799): a
normal-inverse-gamma prior, whose predictive is a Student-t (BaVarIA-t) or, with the mean of the variance put in its
place, a Gaussian (BaVarIA-n). Here the prior says nothing of the mean, and of the variance as much as `strength`
models whose variance is the mean over all points.
"""

from typing import Any, Literal

import numpy as np
from scipy.special import gammaln

from leakjax import _validate
from leakjax.attack.registry import Attack, Least, registered
from leakjax.attack.shadow_statistics import Pooled, pooled, reduction, summed, told


@registered
def bavaria(
    *,
    predictive: Literal["student", "gaussian"] = "student",
    strength: float = 4.0,
    online: bool = True,
    signal: str = "odds",
    queries: bool = False,
) -> Attack:
    """BaVarIA on one signal, for few shadows.

    Args:
      predictive: which density stands for what the target may answer.
      strength: models that the prior counts for.
      online: whether shadows that were trained on the point are used; if not, the score is the distance above the
        out-models in predictive standard deviations.
      signal: a name that `reading.reader` knows.
      queries: whether the log-odds of further queries are used too.
    """
    _validate.positive("strength", strength)
    reduce, needs, view = reduction(signal, queries)

    def score(fitted: Pooled, reduced: Any) -> np.ndarray:
        seen = told(reduced)
        alive = np.maximum(seen.variance_in, seen.variance_out) > 0

        def posterior(variance: np.ndarray, count: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, ...]:
            count = np.maximum(count, 1)
            freedom = strength + count - 1
            # The prior's variance is that of models at one point, of which `variance` is the biased estimate.
            of_models = (strength * prior + count * variance) / freedom
            return np.where(alive, of_models * (1 + 1 / count), 1.0), freedom

        wide_in, freedom_in = posterior(seen.variance_in, seen.count_in, fitted.within[0])
        wide_out, freedom_out = posterior(seen.variance_out, seen.count_out, fitted.within[1])
        if not online:
            ratio = (seen.answer - seen.mean_out) / np.sqrt(wide_out)
        else:
            ratio = _log_density(predictive, seen.answer - seen.mean_in, wide_in, freedom_in) - _log_density(
                predictive, seen.answer - seen.mean_out, wide_out, freedom_out
            )
        return summed(np.where(alive, ratio, 0.0), seen.answer)

    return Attack(
        "bavaria", (view,), reduce, pooled, score, needs=needs, least=Least(2, 2) if online else Least(0, 2)
    )


def _log_density(kind: str, distance: np.ndarray, wide: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    if kind == "gaussian":
        return -(distance**2) / (2 * wide) - np.log(wide) / 2 - np.log(2 * np.pi) / 2
    norm = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - np.log(np.pi * freedom) / 2
    return norm - np.log(wide) / 2 - (freedom + 1) / 2 * np.log1p(distance**2 / (wide * freedom))
