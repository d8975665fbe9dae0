"""The document of a search for defenses: report.json as frozen dataclasses."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from leakjax.evaluate.document import DIFFERENCE, SHARE, Estimate, described, document

Policy = Literal["predicted", "true", "reference"]


@document()
class HardeningTask:
    """What was searched and attacked."""

    dataset: str = described("name of the data set")
    points: int = described("points on which targets are attacked", "points")
    searched_points: int = described("points on which settings were compared", "points")
    targets: int = described("models that were attacked, once, with what had been chosen", "models")
    shadows: int = described("other models, on which settings were compared", "models")
    nonmembers: int = described("non-members per target, the mean rounded down", "points")
    train_accuracy: float = described("mean accuracy of the targets on their own points", SHARE)
    test_accuracy: float = described("mean accuracy of the targets on the other points", SHARE)


@document()
class TriedRow:
    """One setting of the search, on shadows and under the cheap attack."""

    explainer: str = described("name of the explainer with its options")
    explained_class: Policy = described("whose output is explained")
    defense: str = described("the chain as text, which defend.parse reads")
    excess: float = described(
        "what the explanation adds to the label: members caught at 1 % false alarms", DIFFERENCE
    )
    lost: float = described(
        "share of the quoted figure of utility that is lost; 1 where the plain map has none"
    )
    mask_correlation: float = described("mean mask correlation of what is released", "-1 to 1")
    front: bool = described("whether no other setting leaks less and loses less")


@document()
class Losses:
    """Utility lost, of the figures that are chance-corrected; null where the plain map is at chance."""

    curve_gain: float = described(
        "share of the gain of (insertion - deletion) over random order that is lost"
    )
    local_correlation: float = described("share of the correlation with small changes that is lost")
    mask_correlation: float = described("share of the correlation with masked outputs that is lost")


@document()
class MeasuredRow:
    """One explanation of the targets, attacked by the audit's attack, refitted."""

    explainer: str = described("name of the explainer with its options")
    explained_class: Policy = described("whose output is explained")
    defense: str = described('the chain as text; "none" for plain explanations')
    role: Literal["plain", "front", "recommended", "averaged", "denoised", "beside"] = described(
        "why it was measured: as what is hardened, from the front, as what is recommended, as the mean of several "
        "answers of what is recommended, as one answer that an attacker takes the known noise off, or because it was "
        "named"
    )
    repeats: int = described("answers to one query of which the attacker takes the mean", "answers")
    points: int = described("points on which the targets were attacked", "points")
    alone: Estimate = described("members caught by the explanation alone at 1 % false alarms", SHARE)
    margin: Estimate = described("members caught by label and explanation minus by the label", DIFFERENCE)
    margin_vector: Estimate = described(
        "members caught by all probabilities and explanation minus by all probabilities", DIFFERENCE
    )
    counts: bool = described(
        "whether the plain margin exceeds 3 standard errors, so that there is something to cut"
    )
    cut: Estimate = described("share of the plain margin that is gone; null where there is nothing to cut")
    figure: str = described("the figure of utility that is quoted for the family of the explainer")
    lost: Estimate = described("share of that figure that is lost; null where the plain map is at chance")
    losses: Losses = described("all figures")
    cosine: float = described("mean cosine with the plain map", "-1 to 1")


@document()
class RecommendedRow:
    """What is recommended for an explainer: the least leaking setting of the front that loses little."""

    explainer: str = described("name of the explainer with its options")
    explained_class: Policy = described("whose output is to be explained")
    defense: str = described("the chain as text")
    figure: str = described("the figure of utility that was weighed")
    reason: str = described("why that figure is quoted for the family of the explainer")
    settings: int = described("how many measured settings of the front the ranks are of")
    rank_correlation: float = described(
        "Spearman's correlation, over them, of the cheap attack on shadows with the audit's attack on targets",
        "-1 to 1",
    )


@document()
class HardeningReport:
    """What a search for defenses found."""

    SCHEMA: ClassVar[str] = "leakjax.hardening/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    task: HardeningTask = described("what was searched and attacked")
    recommended: Sequence[RecommendedRow] = described("what is recommended, by explainer")
    measured: Sequence[MeasuredRow] = described("what was measured on the targets")
    tried: Sequence[TriedRow] = described("every setting that was tried on shadows")
    timings: Mapping[str, float] = described("wall time of each stage", "seconds")


@document()
class ServedRow:
    """One way to answer explanations, attacked by the audit's attack, refitted."""

    served: str = described("who explains, or which queries get an explanation")
    alone: Estimate = described("members caught by the explanation alone at 1 % false alarms", SHARE)
    label: Estimate = described("members caught by the label of the predictions that stand beside it", SHARE)
    vector: Estimate = described("members caught by all probabilities that stand beside it", SHARE)
    margin: Estimate = described("members caught by label and explanation minus by the label", DIFFERENCE)
    margin_vector: Estimate = described(
        "members caught by all probabilities and explanation minus by all probabilities", DIFFERENCE
    )
    cut: Estimate = described(
        "share of the target's own margin beside the label that is gone; null where there is nothing to cut"
    )
    lost: Estimate = described(
        "share of the quoted figure of utility, on the model that predicts, that is lost; null where the target's own "
        "maps are at chance"
    )
    predicts: float = described("accuracy of the predictions on points that the target did not see", SHARE)
    explains: float = described("accuracy of the models that explain on these points", SHARE)


@document()
class WithheldRow:
    """What selective release costs one group."""

    group: str = described("the group's name; of the classes where the data have no group")
    points: int = described("attacked points of it", "points")
    withheld: float = described("share of them that get no explanation", SHARE)


@document()
class ServingReport:
    """Who explains, and which queries get no explanation: what each way hides and costs."""

    SCHEMA: ClassVar[str] = "leakjax.serving/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    task: HardeningTask = described("what was attacked")
    explainer: str = described("name of the explainer with its options")
    figure: str = described("the figure of utility that is quoted for it")
    near_duplicates: int = described("points with another of the same features in another fold", "points")
    rows: Sequence[ServedRow] = described("the target's own explanations first")
    withheld: Sequence[WithheldRow] = described("groups under selective release")
    timings: Mapping[str, float] = described("wall time of each stage", "seconds")
