"""Global threshold attacks: one number of one answer, the same threshold for every point, no shadow models.

Their signs are fixed here, nothing is chosen on the target: training pulls the loss down, the confidence up and,
as Shokri, Strobel & Zick (arXiv 1907.00164, section 4.3) find, the norm of a gradient down.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from leakjax.attack.baselines import BASELINES


class Threshold(NamedTuple):
    """A global threshold attack.

    Attributes:
      view: "prediction" or "explanation".
      needs_label: whether the attacker must know the true class.
      score: from the named signal [targets, points] to scores, higher = member.
    """

    view: str
    signal: str
    needs_label: bool
    score: Callable[[np.ndarray], np.ndarray]


THRESHOLDS: Mapping[str, Threshold] = {
    "loss": Threshold("prediction", "loss", True, np.negative),
    "confidence": Threshold("prediction", "confidence", False, np.asarray),
    "attribution_norm": Threshold("explanation", "log_l1", False, np.negative),
}
# What is reported by default, and all that can be.
DEFAULT_ATTACKS = ("stacked", *THRESHOLDS)
ATTACKS = (*DEFAULT_ATTACKS, *BASELINES)
