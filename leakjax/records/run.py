"""Measures the units of a study one by one, and keeps each as soon as it is done."""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from leakjax.records.units import Unit


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a study measured.

    Attributes:
        rows: Part to the results of its units, in their order.
        seconds: Part to the time that all of its units took.
    """

    rows: dict[str, list[dict[str, Any]]]
    seconds: dict[str, float]


def run_units(units: Sequence[Unit], log: Path, *, on_unit: Callable[[Unit, float], None]) -> Measured:
    """Measures every unit that the log does not hold yet.

    Args:
        units: From `units_of`.
        log: The file that holds one line for each finished unit.
        on_unit: Called with each unit when it is done and the seconds that it took; 0 for what the log held.
    """
    held = _held(log)
    if log.exists() and not log.read_bytes().endswith(b"\n"):
        with log.open("a") as file:
            file.write("\n")  # after a line that a kill cut short: the next must not be glued to it
    for unit in units:
        line = held.get((unit.part, unit.number))
        if line is not None:
            on_unit(unit, 0.0)
            continue
        start = time.perf_counter()
        result = json.loads(json.dumps(unit.measure()))
        seconds = time.perf_counter() - start
        line = {"part": unit.part, "number": unit.number, "seconds": seconds, "result": result}
        held[unit.part, unit.number] = line
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        on_unit(unit, seconds)
    rows: dict[str, list[dict[str, Any]]] = {unit.part: [] for unit in units}
    total = dict.fromkeys(rows, 0.0)
    for unit in units:  # in their order, whatever the log's: the same numbers to the last bit
        line = held[unit.part, unit.number]
        rows[unit.part].append(line["result"])
        total[unit.part] += line["seconds"]
    return Measured(rows, total)


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
