"""What one attack on one model found, as a unit of work keeps it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from leakjax.oracle import Oracle

Raw = dict[str, Any]


def row(
    attack: str,
    setting: str,
    measure: str,
    found: Any,
    *,
    guard: str = "none",
    baseline: Any = None,
    control: Any = None,
    ceiling: Any = None,
    asked: Oracle | Sequence[Oracle] = (),
    also_plain: int = 0,
) -> Raw:
    """A row of one model: one argument a field, as the document has them.

    Args:
      attack: its name.
      setting: what is shown, or how it was set.
      measure: what the numbers count.
      found: [targets], a number for each.
      guard: of the service.
      baseline: the same without an explanation, [targets] in the same order, or None.
      control: the same against a model that never saw the targets, [targets], or None.
      ceiling: the same where no optimiser can fail, [targets], or None.
      asked: the oracles that the attack asked.
      also_plain: queries for predictions whose answers another row's attack had got already.
    """
    oracles = [asked] if isinstance(asked, Oracle) else list(asked)
    return {
        "attack": attack,
        "setting": setting,
        "guard": guard,
        "measure": measure,
        "found": _numbers(found),
        "baseline": _numbers(baseline),
        "control": _numbers(control),
        "ceiling": _numbers(ceiling),
        "explained": sum(each.explained for each in oracles),
        "plain": sum(each.plain for each in oracles) + also_plain,
    }


def _numbers(values: Any) -> list[float] | None:
    """[targets] as a list; None of none."""
    flat = [] if values is None else np.atleast_1d(np.asarray(values, float)).tolist()
    return flat or None
