"""Measures the units of a study one by one, and keeps each as soon as it is done."""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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


def run_units(units: Sequence[Unit], log: Path, *, tell: Tell = lambda share, unit: None) -> Measured:
    """Measures every unit that the log does not hold yet.

    Args:
        units: From `units_of`.
        log: The file that holds one line for each finished unit.
        tell: Called with the share of all effort that is done, 0 to 1, and the name of the unit that was finished
            last; at the start with what the log holds.
    """
    held = _held(log)
    if log.exists() and not log.read_bytes().endswith(b"\n"):
        with log.open("a") as file:
            file.write("\n")  # after a line that a kill cut short: the next must not be glued to it
    missing = [unit for unit in units if (unit.part, unit.number) not in held]
    total, left = (sum(unit.effort for unit in some) for some in (units, missing))
    tell(1 - left / total, "")
    for unit in missing:
        start = time.perf_counter()
        result = json.loads(json.dumps(unit.measure()))
        seconds = time.perf_counter() - start
        line = {"part": unit.part, "number": unit.number, "seconds": seconds, "result": result}
        held[unit.part, unit.number] = line
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        left -= unit.effort
        tell(1 - left / total, unit.name)
    rows: dict[str, list[dict[str, Any]]] = {unit.part: [] for unit in units}
    seconds_of = dict.fromkeys(rows, 0.0)
    for unit in units:  # in their order, whatever the log's: the same numbers to the last bit
        line = held[unit.part, unit.number]
        rows[unit.part].append(line["result"])
        seconds_of[unit.part] += line["seconds"]
    return Measured(rows, seconds_of)


def _held(log: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The lines of a log by part and number."""
    held = {}
    for text in log.read_text().splitlines() if log.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue  # the line that a kill cut short is measured again
        held[line["part"], line["number"]] = line
    return held
