"""Explanations made of samples: is sampling a natural defense, and which part of it, the noise or the number?

SmoothGrad's mean over many noisy copies is a smoother gradient; over one copy it is a gradient at another point. Rows
of one sigma and ever more samples tell the two apart: what is left with many samples, smoothing has not hidden.
"""

from typing import NamedTuple

import numpy as np

from leakjax.auditing.explainers import parse
from leakjax.auditing.explanations import defend_program
from leakjax.auditing.rows import Sitting
from leakjax.defend.registry import parse as defense_of
from leakjax.evaluate.document.explained import Rate
from leakjax.papers.dimensions.document import SampledRow
from leakjax.papers.over_models import correlations, over_models
from leakjax.papers.shown import shown

RELEASES = ("label",)
_LEVELS = (5, 25, 50, 75, 95)
_RATE: Rate = "0.01"


class Sampled(NamedTuple):
    """An explanation made of samples; see `SampledRow`."""

    method: str
    samples: int
    sigma: float = 0.0

    @property
    def text(self) -> str:
        """The explainer's call."""
        options = f"output={'probability'!r}"
        if self.samples:
            options += f", samples={self.samples}"
        if self.sigma:
            options += f", sigma={self.sigma}"
        return f"{self.method}({options})"


def explanations(sigmas: tuple[float, ...], samples: tuple[int, ...]) -> list[Sampled]:
    """The gradient, SmoothGrad at each sigma and number of samples, and two methods that sample what they hide.

    Args:
      sigmas: of SmoothGrad.
      samples: of SmoothGrad.
    """
    smoothed = [Sampled("smoothgrad", count, sigma) for sigma in sigmas for count in samples]
    hidden = [Sampled("shapley_sampling", count) for count in (1, 4, 16)]
    return [Sampled("gradient", 0), *smoothed, *hidden, *(Sampled("lime", count) for count in (50, 200, 800))]


def measured(one: Sampled, sitting: Sitting) -> SampledRow:
    """Explains every point by every model so, and attacks what is seen.

    Args:
      one: the explanation.
      sitting: of the models, in which `RELEASES` are shown.
    """
    subject, judge = sitting.subject, sitting.judge
    explainer = parse(one.text).make(subject.logits_fn, subject.points.x.shape[1:], None)
    found = shown(sitting, explainer, [defend_program(subject, defense_of("none"))]).found[0]
    judge = judge.narrowed(found.valid)
    norm, member = np.exp(np.asarray(found.log_l1, float)), judge.membership
    alone, label = judge.rates(found.explanation), judge.rates(found.prediction[0])
    levels = lambda part: [float(value) for value in np.percentile(norm[part], _LEVELS)]
    return SampledRow(
        method=one.method,
        explainer=one.text,
        samples=one.samples,
        sigma=one.sigma,
        members=levels(member),
        others=levels(~member),
        norm=over_models(correlations(norm, member)),
        attack=judge.found(judge.rates(-np.asarray(found.log_l1, float))).auc,
        alone=judge.found(alone).auc,
        alone_tpr=judge.found(alone).tpr_at_fpr[_RATE],
        label=judge.found(label).auc,
        added=judge.added(judge.rates(found.both[0]), label).auc,
    )
