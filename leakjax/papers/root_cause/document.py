"""The document of a root-cause analysis."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

from leakjax.evaluate.document import DIFFERENCE, SHARE, Estimate, LeftOut, described, document
from leakjax.papers.claim import Claim

Property = Literal["sparsity", "sensitivity", "distinctness", "carried_confidence", "gap"]
PROPERTIES: tuple[Property, ...] = get_args(Property)
Outcome = Literal["alone", "beside_label", "beside_vector"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@document()
class CaseRow:
    """One setting of a sweep: what it leaks, and what its explanations and models are like."""

    sweep: str = described("the property that is varied")
    setting: str = described("its value here")
    place: int = described("place in the sweep, from 0")
    explainer: str = described("name of the explainer with its options")
    defense: str = described("what the maps pass through")
    explained_class: str = described("the class whose output is explained")
    dataset: str = described("name of the data set with its options")
    model: str = described("name of the network with its options")
    points: int = described("points attacked", "points")
    targets: int = described("models attacked", "models")
    sparsity: float = described(
        "Hoyer's measure of a released map, the mean; 1 where one value is not 0", SHARE
    )
    sensitivity: float = described("largest relative change of a released map nearby, log10 of the mean")
    distinctness: float = described("1 less the mean cosine of two models' maps of one point", "0 to 2")
    carried_confidence: float = described(
        "R^2 of the model's confidence on the norm and the sum of its map, over models at a point, the mean",
        SHARE,
    )
    gap: float = described("accuracy on own points less that on others", DIFFERENCE)
    accuracy: float = described("accuracy on points that a model was not trained on", SHARE)
    confidence: float = described("mean probability of the predicted class", SHARE)
    alone: Estimate = described("AUC of the explanation alone, less 0.5", DIFFERENCE)
    label: Estimate = described("AUC of the label alone, less 0.5", DIFFERENCE)
    vector: Estimate = described("AUC of all probabilities alone, less 0.5", DIFFERENCE)
    beside_label: Estimate = described("AUC of label and explanation less that of the label", DIFFERENCE)
    beside_vector: Estimate = described("AUC of vector and explanation less that of the vector", DIFFERENCE)
    alone_tpr: Estimate = described("members caught by the explanation alone at 1 % false positives", SHARE)
    label_tpr: float = described("members caught by the label alone at 1 % false positives", SHARE)
    beside_label_tpr: Estimate = described("members that the explanation adds to them", DIFFERENCE)


@document()
class TrendRow:
    """What a sweep does to leakage, from its first setting to its last."""

    sweep: str = described("the property that is varied")
    first: str = described("the first setting")
    last: str = described("the last setting")
    sparsity: float = described("change of sparsity", DIFFERENCE)
    sensitivity: float = described("change of log10 sensitivity")
    alone: Estimate = described("change of the AUC of the explanation alone", DIFFERENCE)
    label: Estimate = described("change of the AUC of the label alone", DIFFERENCE)
    beside_label: Estimate = described("change of what the explanation adds to the label, AUC", DIFFERENCE)


@document()
class EffectRow:
    """A coefficient of a regression of leakage over all settings."""

    outcome: Outcome = described("what is explained: AUC alone, or what is added to the label or the vector")
    accounted: str = described("what is in the regression beside sparsity and sensitivity")
    property: str = described("of which this is the coefficient")
    effect: Estimate = described(
        "points of AUC per standard deviation; interval over sweeps", "points of AUC"
    )
    settings: int = described("settings of all sweeps")
    explained_variance: float = described("R^2 of the regression", SHARE)


@document()
class CheckRow:
    """What a regression without a sweep predicts of it, beside what was seen there."""

    sweep: str = described("the sweep that was left out")
    predicted: float = described("change of the outcome from its first setting to its last", "points of AUC")
    seen: Estimate = described("the change that was measured", "points of AUC")
    agrees: bool = described("whether the prediction lies in the interval")


@document()
class RootCause:
    """Controlled sweeps of one property at a time, and regressions of leakage on measured properties."""

    SCHEMA: ClassVar[str] = "leakjax.papers.root_cause/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each setting", "seconds")
    cases: Sequence[CaseRow] = described("every setting of every sweep")
    trends: Sequence[TrendRow] = described("what each sweep does")
    effects: Sequence[EffectRow] = described("regressions over all settings")
    checks: Sequence[CheckRow] = described("the regression on sparsity and sensitivity against each sweep")
    left_out: Sequence[LeftOut] = described("settings that were not measured, each with its reason")
    claims: Sequence[Claim] = described("what DeepLeak claims, beside what was measured here")
