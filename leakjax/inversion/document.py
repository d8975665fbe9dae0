"""The document of an inversion study: report.json as frozen dataclasses."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from leakjax.evaluate.document import Estimate, described, document

Verdict = Literal["confirmed", "refuted", "depends", "not measured"]


@document()
class AttackRow:
    """What one attack reached, by one measure, under one guard."""

    attack: str = described("name of the attack")
    setting: str = described("what is shown, or how the attack was set")
    guard: str = described('what the service does to its explanations, "none" for plain ones')
    measure: str = described("what is counted, with its unit")
    found: Estimate = described("what the attack reached, with its interval over targets and target models")
    baseline: Estimate | None = described(
        "the same without an explanation: from the prediction alone, the public mean, the majority"
    )
    margin: Estimate | None = described("found minus baseline, paired over targets")
    control: Estimate | None = described("the same against a model that never saw the targets")
    ceiling: Estimate | None = described("the same for an attacker whom no optimiser can fail")
    explained: float = described("explained queries, the mean over models", "queries")
    plain: float = described("queries for predictions alone, the mean over models", "queries")
    models: int = described("target models", "models")
    targets: int = described("targets, over all models")


@document()
class LeftOut:
    """A guard that one attack does not meet."""

    attack: str = described("name of the attack")
    guard: str = described("what it does not meet")
    why: str = described("the reason, in a few words")


@document()
class Claim:
    """A sentence of the source, and what was measured of it."""

    claim: str = described("what the source says")
    verdict: Verdict = described("whether it is true")
    why: str = described("what was measured")


@document()
class InversionTask:
    """What was attacked."""

    dataset: str = described("name of the data set")
    points: int = described("points of the pool that models are trained on a half of", "points")
    auxiliary: int = described("points that the attacker has for itself", "points")
    model: str = described("the network")
    accuracy: float = described("accuracy on points that a model was not trained on, the mean over models")


@document()
class InversionReport:
    """What an inversion study found."""

    SCHEMA: ClassVar[str] = "leakjax.inversion/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    task: InversionTask = described("what was attacked")
    knows: Mapping[str, str] = described("what each attack knows beside the answers, by its name")
    attacks: Sequence[AttackRow] = described("what each attack reached")
    left_out: Sequence[LeftOut] = described("guards that an attack of this study does not meet")
    claims: Sequence[Claim] = described("the claims of the source")
    timings: Mapping[str, float] = described("wall time of each part", "seconds")
