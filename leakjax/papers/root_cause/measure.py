"""One setting of a sweep, measured: what it leaks, and what its explanations and models are like."""

import numpy as np

from leakjax.auditing.explainers import parse
from leakjax.auditing.explanations import defend_program, explain_program, stream_explanations
from leakjax.auditing.pool import Pool
from leakjax.auditing.rows import Found, Sitting
from leakjax.auditing.score import score
from leakjax.defend.registry import parse as defense_of
from leakjax.evaluate.document import Estimate, Rate
from leakjax.papers.root_cause.document import CaseRow
from leakjax.papers.root_cause.properties import properties
from leakjax.papers.root_cause.sweeps import Case

RELEASES = ("label", "vector")
_RATE: Rate = "0.01"


def measured(case: Case, sitting: Sitting, pool: Pool) -> CaseRow:
    """Explains, attacks and looks at the maps of one setting.

    Args:
      case: which.
      sitting: of its models, in which `RELEASES` are shown.
      pool: whose background the explainer works against, if it needs one.
    """
    subject, predictions = sitting.subject, sitting.predictions
    named = parse(case.explainer)._replace(columns=pool.points.columns)
    explainer = named.make(subject.logits_fn, subject.points.x.shape[1:], pool.background)
    defense = defense_of(case.defense)
    programs = explain_program(subject, explainer), [defend_program(subject, defense)]
    (streamed,) = stream_explanations(*programs, subject, predictions, np.zeros(0, int))
    found = Found.of(score(subject, sitting.base, streamed), streamed)
    like = properties(subject, explainer, defense, predictions.explained, _confidence(sitting))
    judge = sitting.judge.narrowed(found.valid)
    alone = judge.rates(found.explanation)
    prediction = [judge.rates(found.prediction[at]) for at in range(2)]
    margins = [judge.added(judge.rates(found.both[at]), prediction[at]) for at in range(2)]
    own, others = _accuracies(sitting)
    label, vector = (judge.found(each) for each in prediction)
    return CaseRow(
        sweep=case.sweep,
        setting=case.setting,
        place=case.place,
        explainer=named.name,
        defense=defense.name,
        explained_class=subject.explained_class,
        dataset=subject.points.name if case.world.dataset.startswith("npz:") else case.world.dataset,
        model=case.world.model,
        points=len(subject.points.x),
        targets=len(subject.targets),
        **like._asdict(),
        gap=own - others,
        accuracy=others,
        confidence=float(np.mean(1 / (1 + np.exp(-predictions.confidence)))),
        alone=_above_chance(judge.found(alone).auc),
        label=_above_chance(label.auc),
        vector=_above_chance(vector.auc),
        beside_label=margins[0].auc,
        beside_vector=margins[1].auc,
        alone_tpr=judge.found(alone).tpr_at_fpr[_RATE],
        label_tpr=label.tpr_at_fpr[_RATE].value,
        beside_label_tpr=margins[0].tpr_at_fpr[_RATE],
    )


def _confidence(sitting: Sitting) -> np.ndarray:
    """Log-odds of the predicted class, [models, points]; every model is a target."""
    return np.asarray(sitting.predictions.confidence)


def _accuracies(sitting: Sitting) -> tuple[float, float]:
    correct, inside = sitting.predictions.correct, sitting.subject.membership
    return float(correct[inside].mean()), float(correct[~inside].mean())


def _above_chance(auc: Estimate) -> Estimate:
    return Estimate(auc.value - 0.5, auc.low - 0.5, auc.high - 0.5)
