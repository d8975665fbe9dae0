"""The document of a hardening profile."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from leakjax.evaluate.document import DIFFERENCE, SHARE, Estimate, LeftOut, described, document
from leakjax.hardening.document import HardeningTask, MeasuredRow
from leakjax.papers.claim import Claim

PLAIN, DEEPLEAK, SCALED, OURS = "plain", "deepleak", "deepleak, scaled", "ours"
# Ours before an attacker who takes the known noise off.
DENOISED = "ours, denoised"


@document()
class HardenedRow(MeasuredRow):
    """One explainer under one hardening, attacked by the audit's attack, refitted."""

    family: str = described("family of the explainer")
    hardening: str = described(
        "plain; deepleak; deepleak, scaled: on maps of largest value 1; ours; ours, denoised: before an attacker who "
        "takes the known noise off, where ours draws any; or a further chain"
    )
    cut_alone: Estimate = described(
        "share of what the plain explanation alone catches beyond chance that is gone, as DeepLeak counts; null where "
        "there is nothing to cut"
    )
    lost_mask: float = described(
        "share of the mask correlation that is lost; null where the plain map has none"
    )


@document()
class Summary:
    """What one hardening does over all explainers."""

    hardening: str = described("which")
    methods: int = described("explainers whose plain margin beyond the label exceeds 3 standard errors")
    least_cut: float | None = described("the smallest share of that margin that is gone", SHARE)
    median_cut: float | None = described("the median over them", SHARE)
    most_cut: float | None = described("the largest", SHARE)
    most_vector: float = described(
        "the largest upper bound, over explainers, of what is added to all probabilities", DIFFERENCE
    )
    alone_methods: int = described("explainers that alone catch more than chance by 3 standard errors")
    least_cut_alone: float | None = described(
        "the smallest share of what they catch alone that is gone", SHARE
    )
    median_cut_alone: float | None = described("the median over them", SHARE)
    most_cut_alone: float | None = described("the largest", SHARE)
    mean_lost: float | None = described(
        "share of the quoted figure of utility that is lost, mean over explainers"
    )
    mean_lost_mask: float | None = described(
        "share of the mask correlation that is lost, mean over explainers"
    )


@document()
class HardeningProfile:
    """Every explainer under DeepLeak's hardening and under ours."""

    SCHEMA: ClassVar[str] = "leakjax.papers.hardening_profile/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each stage", "seconds")
    task: HardeningTask = described("what was attacked")
    rows: Sequence[HardenedRow] = described("every explainer, plain and under every hardening")
    summaries: Sequence[Summary] = described("what each hardening does over all explainers")
    left_out: Sequence[LeftOut] = described("explainers that were not attacked, each with its reason")
    claims: Sequence[Claim] = described("what DeepLeak claims, beside what was measured here")
