"""The units of work of an inversion study: one part of one target model each."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.inversion import backgrounds, reidentified
from leakjax.inversion.plan import PARTS, Plan
from leakjax.inversion.world import World
from leakjax.records.units import Unit

# About how long a unit of each part takes, in seconds; for the time left alone.
_EFFORT = {"background": 25.0, "reidentify": 10.0}


def units_of(plan: Plan, world: World) -> tuple[Unit, ...]:
    """Every unit of a plan, in the order of its parts.

    Args:
      plan: of the study.
      world: from `make_world`.
    """
    calls: dict[str, Callable[[int], Any]] = {
        "background": partial(backgrounds.measure, world),
        "reidentify": lambda index: reidentified.measure(world, index, plan.targets, plan.candidates),
    }
    mark = fingerprint(
        environment=environment(),
        plan=dataclasses.replace(plan, parts=PARTS, models=1),
        points=(world.points.x, world.points.y),
    )
    return tuple(
        Unit(
            part,
            index,
            _EFFORT[part],
            partial(_measured, calls[part], index),
            stage=f"{part} {index}",
            fingerprint=fingerprint(mark=mark, part=part, index=index),
        )
        for part in plan.parts
        for index in range(plan.models)
    )


def _measured(measure: Callable[[int], Any], index: int) -> dict[str, Any]:
    found = measure(index)
    return found if isinstance(found, dict) else {"rows": found}
