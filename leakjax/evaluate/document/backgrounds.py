"""The rows of an audit's document about the points that explainers compare with."""

from typing import Literal

from leakjax.evaluate.document.explained import NONE, SHARE, Estimate, Explained
from leakjax.evaluate.document.fields import described, document

BACKGROUND = "the background"


@document()
class BackgroundRow(Explained):
    """Whether explanations over a background name its rows to an attacker who has candidates for them."""

    compared_with: str = described(
        f'what the service compares with: "{BACKGROUND}", or what stands in the place of its rows'
    )
    knows: Literal["answers", "weights"] = described(
        "what the attacker has of the model: what the service answers, or the model itself"
    )
    rows: int = described("rows of the background that are sought, hidden among candidates", "rows")
    candidates: int = described("candidates, the rows among them", "rows")
    explained: int = described("explained queries that were asked", "queries")
    plain: int = described("queries for predictions alone that were asked", "queries")
    recovered: Estimate = described("rows of the background that were named, of all", SHARE)
    chance: float = described("the same of names drawn from the candidates", SHARE)
    residual: float = described(
        "what the candidates leave unexplained, in the 2-norm, over the norm of the explanations", "ratio"
    )
    residual_without: float = described("the same where the rows are not among the candidates", "ratio")
    believed: bool = described("whether the residual says that the rows are among the candidates")
    cosine: float = described(
        "mean cosine to plain explanations over the background; 1 is unchanged", "-1 to 1"
    )

    @property
    def plain_one(self) -> bool:
        """Whether it is about plain explanations over the background itself."""
        return self.compared_with == BACKGROUND and self.defense == NONE

    @property
    def recoverable(self) -> bool:
        """Whether more rows were named than chance explains."""
        return self.recovered.low > self.chance
