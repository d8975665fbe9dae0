"""What leads about every method of a profile, and their order: all read at one false-positive rate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from leakjax.evaluate.document import Explained, LeakageRow, Rate, from_json
from leakjax.papers.leakage.document import MethodRow
from leakjax.papers.leakage.judged import STACKED


def ranked(found: Sequence[Mapping[str, Any]]) -> list[MethodRow]:
    """The methods, the one that adds most to the first release first.

    Costly methods are attacked on fewer points and allow a larger rate only. Members caught at 0.1 % and at 1 % do not
    compare, so that all are read at the largest of their rates.

    Args:
      found: of every method its finished stage.
    """
    measured = [(one, [from_json(LeakageRow, row) for row in one["leakage"]]) for one in found]
    rates: list[Rate] = [row.headline_fpr for _, rows in measured for row in rows]
    if not rates:
        return []
    rate = max(rates, key=float)
    rows = sorted((_row(one, own, rate) for one, own in measured), key=_added, reverse=True)
    return [MethodRow(**{**vars(row), "rank": place}) for place, row in enumerate(rows, 1)]


def _row(one: Mapping[str, Any], own: Sequence[LeakageRow], rate: Rate) -> MethodRow:
    ours = [row for row in own if row.attack == STACKED]
    alone = next(row for row in ours if row.view == "explanation")
    both = {row.release: row for row in ours if row.view == "both"}
    first = next(iter(both.values()))
    assert first.margin is not None
    return MethodRow(
        **vars(from_json(Explained, one["about"])),
        rank=1,
        runs=one["runs"],
        points=one["points"],
        seconds=round(one["seconds"], 2),
        headline_fpr=rate,
        alone=alone.tpr_at_fpr[rate],
        label=first.tpr_at_fpr[rate].value - first.margin.tpr_at_fpr[rate].value,
        margins={release: row.margin for release, row in both.items() if row.margin is not None},
    )


def _added(row: MethodRow) -> float:
    value = next(iter(row.margins.values())).tpr_at_fpr[row.headline_fpr].value
    return value if np.isfinite(value) else -np.inf
