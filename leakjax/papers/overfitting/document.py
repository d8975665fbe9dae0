"""The document of a study of overfitting."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from leakjax.evaluate.document import DIFFERENCE, SHARE, Estimate, LeftOut, described, document
from leakjax.papers.claim import Claim

_CORRELATION = "-1 to 1"
Learns = Literal["known_half", "shadows"]


@document()
class GapRow:
    """Models of one data set at one generalisation gap: what correlates with membership."""

    dataset: str = described("name of the data set with its options")
    model: str = described("name of the network with its options")
    asked: float = described("the gap at whose first crossing models were kept; 1 at the end of training")
    gap: Estimate = described("the gap that they have", DIFFERENCE)
    epochs: float = described("of training until then, the mean", "epochs")
    train_accuracy: Estimate = described("accuracy on own points", SHARE)
    test_accuracy: Estimate = described("accuracy on the others", SHARE)
    norm: Estimate = described(
        "correlation of membership with the 1-norm of the gradient of the predicted class's probability",
        _CORRELATION,
    )
    variance: Estimate = described("the same of the prediction vector's variance", _CORRELATION)
    loss: Estimate = described("the same of the loss", _CORRELATION)
    norm_and_variance: Estimate = described("correlation of the 1-norm with the variance", _CORRELATION)


@document()
class AttackRow:
    """One attack on models of one data set at one gap."""

    dataset: str = described("name of the data set with its options")
    asked: float = described("as of GapRow")
    gap: float = described("the gap that the models have, the mean", DIFFERENCE)
    attack: str = described("neural, tree, threshold or stacked")
    learns: Learns = described("on half of the target's own points, or on shadows in the role of targets")
    sees: str = described("what the attacker has beside the predicted class")
    explainer: str = described('of the explanation; "none" where there is none')
    targets: int = described("models attacked", "models")
    accuracy: Estimate = described("mean of the shares of members and of others that are called right", SHARE)
    auc: Estimate = described("AUC", SHARE)
    tpr: Estimate = described("members caught at 1 % false positives", SHARE)
    added: Estimate | None = described(
        "AUC beyond that of the same attack on the prediction alone, paired; null where it is not measured",
        DIFFERENCE,
    )


@document()
class LineRow:
    """A line through the accuracies of an attack at all gaps of a data set."""

    dataset: str = described("name of the data set with its options")
    attack: str = described("neural, tree, threshold or stacked")
    learns: Learns = described("as of AttackRow")
    sees: str = described("as of AttackRow")
    gaps: int = described("gaps", "gaps")
    slope: Estimate = described("accuracy that a gap of 1 adds, its interval by the residuals", DIFFERENCE)
    explained_variance: float = described("R^2 of the line", SHARE)
    bend: Estimate = described("coefficient of the squared gap beside it, NaN below five gaps")


@document()
class GroupLeak:
    """What the stacked attack finds within one group of points, at the largest gap."""

    dataset: str = described("name of the data set with its options")
    group: str = described("name of the group column")
    level: str = described("value of the group column")
    points: int = described("points in the group", "points")
    share: float = described("of the points that are in the group", SHARE)
    label: Estimate = described(
        "members of the group caught by the predicted class at 1 % false positives", SHARE
    )
    gradient: Estimate = described("the same by the gradient, which names the class", SHARE)
    both: Estimate = described("the same by all probabilities and the gradient", SHARE)


@document()
class Overfitting:
    """Attacks on explanations at ever larger generalisation gaps, by what the attacker sees and learns on."""

    SCHEMA: ClassVar[str] = "leakjax.papers.overfitting/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each data set and gap", "seconds")
    gaps: Sequence[GapRow] = described("every data set at every gap that its models reached")
    attacks: Sequence[AttackRow] = described("every attack on them")
    lines: Sequence[LineRow] = described("is an attack's accuracy linear in the gap?")
    groups: Sequence[GroupLeak] = described("by group, rare classes and outliers among them")
    left_out: Sequence[LeftOut] = described("what was not measured, each with its reason")
    claims: Sequence[Claim] = described("what the paper claims, beside what was measured here")
