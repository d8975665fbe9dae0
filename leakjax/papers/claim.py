"""One claim of a paper beside what was measured here."""

from collections.abc import Sequence
from typing import Literal

from leakjax.evaluate.document import Estimate, described, document
from leakjax.report import tables, words

Says = Literal["agrees", "disagrees", "not comparable", "not measured"]


@document()
class Claim:
    """A claim of a paper, what was measured here, and whether the two agree."""

    source: str = described("the paper, with the figure, table or section")
    what: str = described("what is claimed, in words")
    paper: str = described("what the paper states")
    ours: Estimate | None = described(
        "what was measured here, in the unit of the paper; null where nothing was"
    )
    unit: str = described("the unit of both")
    says: Says = described("whether the two agree")
    why: str = described("the rule by which that is said, and what differs from the paper")


def claims_table(claims: Sequence[Claim], digits: int = 1) -> tables.Table:
    """The claims as a table of a page.

    Args:
      claims: in the order of the page.
      digits: decimals of our values.
    """
    columns = {
        "claim": tables.TEXT,
        "paper": tables.TEXT,
        "here": tables.NUMBER,
        "": tables.TEXT,
        "why": tables.TEXT,
    }
    shown = lambda value: f"{value:.{digits}f}"
    return tables.table(
        columns,
        [
            [
                f"{one.what} ({one.source})",
                one.paper,
                "-" if one.ours is None else f"{words.with_interval(one.ours, shown)} {one.unit}".strip(),
                one.says,
                one.why,
            ]
            for one in claims
        ],
    )
