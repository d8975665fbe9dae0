"""The document of a study of what can be revealed."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from leakjax.evaluate.document import SHARE, described, document
from leakjax.papers.claim import Claim


@document()
class LemmaRow:
    """Families of models of one construction: how many records can be revealed, as the lemma says and in truth."""

    construction: str = described("how the full model and those without one record are made")
    statement: str = described("the statement of the lemma under which they fall, as it is written")
    families: int = described("how many were drawn", "families")
    records: int = described("training records of each", "records")
    features: int = described("features of a record", "features")
    expected: str = described("how many records the lemma says can be revealed")
    least: int = described("revealed by brute force, in the family with the fewest", "records")
    most: int = described("in the family with the most", "records")
    agrees: float = described("of the families, those in which the lemma is right", SHARE)
    corrected: float = described("those in which our correction of it is right", SHARE)


@document()
class TheoremRow:
    """Families of models on which Algorithm 1 is run: how many records it reveals, and how many it should."""

    construction: str = described("how the models are made")
    runs: int = described("how many were drawn", "families")
    records: int = described("training records of each", "records")
    features: int = described("features of a record", "features")
    pairwise: int = described(
        "d where each weight vector is independent of the full model's by itself", "records"
    )
    jointly: int = described("d where any d weight vectors are independent together with it", "records")
    least: int = described("records that Algorithm 1 revealed, in the run with the fewest", "records")
    most: int = described("in the run with the most", "records")
    holds_pairwise: float = described("of the runs, those with at least `pairwise` records", SHARE)
    holds_jointly: float = described("those with at least `jointly` records", SHARE)


@document()
class Theorem:
    """Bounds on how many training records can be revealed: the lemma's conditions and the theorem, checked."""

    SCHEMA: ClassVar[str] = "leakjax.papers.theorem/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each construction", "seconds")
    lemmas: Sequence[LemmaRow] = described("lemmas F.1 and F.2 and figure 8")
    theorem: Sequence[TheoremRow] = described("theorem 5.1")
    claims: Sequence[Claim] = described("what the paper claims, beside what was measured here")
