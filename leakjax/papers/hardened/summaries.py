"""What each hardening does over all explainers: the cuts where there is something to cut, and the mean losses."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from leakjax.evaluate.headline import unique
from leakjax.papers.hardened.document import PLAIN, HardenedRow, Summary


def of_rows(rows: Sequence[HardenedRow]) -> list[Summary]:
    """One summary a hardening.

    Args:
      rows: of all explainers.
    """
    found = []
    for hardening in unique(row.hardening for row in rows if row.hardening != PLAIN):
        own = [row for row in rows if row.hardening == hardening]
        cuts = _known(row.cut.value for row in own)
        alone = _known(row.cut_alone.value for row in own)
        found.append(
            Summary(
                hardening=hardening,
                methods=len(cuts),
                least_cut=_of(np.min, cuts),
                median_cut=_of(np.median, cuts),
                most_cut=_of(np.max, cuts),
                most_vector=float(np.max([row.margin_vector.high for row in own])),
                alone_methods=len(alone),
                least_cut_alone=_of(np.min, alone),
                median_cut_alone=_of(np.median, alone),
                most_cut_alone=_of(np.max, alone),
                mean_lost=_of(np.mean, _known(row.lost.value for row in own)),
                mean_lost_mask=_of(np.mean, _known(row.lost_mask for row in own)),
            )
        )
    return found


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def _of(function: Callable[..., Any], values: Sequence[float]) -> float | None:
    return float(function(values)) if values else None
