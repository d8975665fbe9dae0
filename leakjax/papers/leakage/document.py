"""The document of a leakage profile."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from leakjax.evaluate.document import (
    DIFFERENCE,
    Attacked,
    Estimate,
    Explained,
    GroupRow,
    LeakageRow,
    LeftOut,
    Margin,
    NeighbourRow,
    Rate,
    Task,
    WorthRow,
    described,
    document,
)
from leakjax.papers.claim import Claim

_MORE = "by the stronger attack less by the other, on the same targets and points"


@document()
class MethodRow(Explained):
    """One explainer at its default settings, in the order of what it adds to the label."""

    rank: int = described("place, 1 for the method that adds most to the first release")
    runs: int = described("runs of the model for one explanation", "runs")
    points: int = described("points on which it was attacked", "points")
    seconds: float = described("wall time of explaining and of all attacks", "seconds")
    headline_fpr: Rate = described(
        "the smaller rate that allows at least 5 false positives for every method, else 0.01"
    )
    alone: Estimate = described(
        "members caught with the explanation alone at the headline rate", "share, 0 to 1"
    )
    label: float = described(
        "members caught with the first release alone, on the same points", "share, 0 to 1"
    )
    margins: Mapping[str, Margin] = described("what the explanation adds, by release")


@document()
class BeyondRow(Attacked):
    """A stronger attack beside one that was reported before, on what both see."""

    reported_by: str = described("who reported the attack")
    stronger: str = described("the attack that is set beside it: stacked, or the map network of DeepLeak")
    targets: int = described("models attacked", "models")
    nonmembers: int = described("non-members per target, the mean rounded down", "points")
    ours: Mapping[Rate, Estimate] = described(
        "members caught by the stronger attack, by false-positive rate", "share, 0 to 1"
    )
    theirs: Mapping[Rate, Estimate] = described("members caught by the attack", "share, 0 to 1")
    more: Mapping[Rate, Estimate] = described(f"members caught: {_MORE}", DIFFERENCE)
    more_auc: Estimate = described(f"AUC: {_MORE}", DIFFERENCE)
    relative: Mapping[Rate, Estimate] = described(
        "members caught by the stronger attack over those caught by the other, less 1", "ratio"
    )


@document()
class LeakageProfile:
    """What every explainer leaks at its default settings, and how much of it earlier attacks find."""

    SCHEMA: ClassVar[str] = "leakjax.papers.leakage_profile/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each stage", "seconds")
    task: Task = described("what was attacked")
    methods: Sequence[MethodRow] = described("every explainer, the one that adds most to the label first")
    neighbours: Sequence[NeighbourRow] = described("what further queries find in place of explanations")
    worth: Sequence[WorthRow] = described("how many further queries each explanation is worth")
    leakage: Sequence[LeakageRow] = described("every attack on every explainer under every release")
    beyond: Sequence[BeyondRow] = described("stronger attacks beside each that was reported before")
    groups: Sequence[GroupRow] = described("leakage by group; may be empty")
    left_out: Sequence[LeftOut] = described("explainers that were not attacked, each with its reason")
    claims: Sequence[Claim] = described("what DeepLeak claims, beside what was measured here")
