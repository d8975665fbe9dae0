"""Measures the units of a study one by one, and keeps each as soon as it is done."""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from leakjax._workdir import Store, opened
from leakjax.records.units import Unit

Tell = Callable[[float, str], None]


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a study measured.

    Attributes:
      rows: Part to the results of its units, in their order.
      seconds: Part to the time that all of its units took.
    """

    rows: dict[str, list[dict[str, Any]]]
    seconds: dict[str, float]


def run_units(
    units: Sequence[Unit], store: Store = None, *, tell: Tell = lambda share, unit: None
) -> Measured:
    """Measures every unit that the store does not hold yet.

    Args:
      units: From `units_of`.
      store: A folder that keeps each finished unit, claimed meanwhile if it is not already; None keeps nothing.
      tell: Called with the share of all effort that is done, 0 to 1, and the name of the unit that was finished
        last; at the start with what the store holds.

    Raises:
      UsageError: The folder is in use or cannot be written.
    """
    rows: dict[str, list[dict[str, Any]]] = {unit.part: [] for unit in units}
    seconds = dict.fromkeys(rows, 0.0)
    with opened(store) as workdir:
        held = {unit for unit in units if workdir is not None and workdir.holds(unit.stage, unit.fingerprint)}
        total, left = (sum(unit.effort for unit in some) for some in (units, set(units) - held))
        tell(1 - left / total, "")
        for unit in units:
            if workdir is None:
                kept = _measured(unit)
            else:
                kept = workdir.stage(unit.stage, unit.fingerprint, partial(_measured, unit))
            rows[unit.part].append(kept["result"])
            seconds[unit.part] += kept["seconds"]
            if unit not in held:
                left -= unit.effort
                tell(1 - left / total, unit.name)
                if workdir is not None:
                    workdir.log({"part": unit.part, "number": unit.number, "seconds": kept["seconds"]})
    return Measured(rows, seconds)


def _measured(unit: Unit) -> dict[str, Any]:
    start = time.perf_counter()
    result = json.loads(json.dumps(unit.measure()))
    return {"result": result, "seconds": time.perf_counter() - start}
