"""The units of work of an inversion study: one part of one target model each."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from leakjax._threads import one_blas_thread
from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.inversion import (
    aggregated,
    attributes,
    backgrounds,
    censored,
    extracted,
    inverted,
    known_model,
    patterns,
    reidentified,
)
from leakjax.inversion.plan import PARTS, Plan
from leakjax.inversion.world import World
from leakjax.records.units import Unit

# About how long a unit of each part takes, in seconds; for the time left alone.
_EFFORT = {
    "background": 25.0,
    "reidentify": 10.0,
    "closed_form": 5.0,
    "known_model": 20.0,
    "learned": 15.0,
    "ascent": 5.0,
    "patterns": 15.0,
    "extraction": 20.0,
    "aggregates": 5.0,
    "attributes": 10.0,
    "censored": 15.0,
    "shapley_values": 10.0,
}


def units_of(plan: Plan, world: World) -> tuple[Unit, ...]:
    """Every unit of a plan, in the order of its parts.

    Args:
      plan: of the study.
      world: from `make_world`.
    """
    sizes = {"targets": plan.targets, "candidates": plan.candidates}
    calls: dict[str, Callable[[int], Any]] = {
        "background": partial(backgrounds.measure, world),
        "reidentify": partial(reidentified.measure, world, **sizes),
        "closed_form": partial(inverted.closed_form, world, **sizes, epochs=plan.epochs),
        "known_model": partial(known_model.measure, world, **sizes),
        "learned": partial(inverted.learned_inversion, world, **sizes),
        "ascent": partial(inverted.query_ascent, world),
        "patterns": partial(patterns.measure, world, **sizes),
        "extraction": partial(extracted.measure, world, epochs=plan.epochs),
        "aggregates": partial(aggregated.measure, world),
        "attributes": partial(attributes.measure, world, targets=plan.targets),
        "censored": partial(censored.measure, world, targets=plan.targets, epochs=plan.epochs),
        "shapley_values": partial(attributes.read, world, targets=plan.targets),
    }
    mark = fingerprint(
        environment=environment(),
        plan=dataclasses.replace(plan, parts=PARTS, models=1),
        points=(world.points.x, world.points.y),
        trainings=list(inverted.TRAININGS),
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
    with one_blas_thread():
        found = measure(index)
    return found if isinstance(found, dict) else {"rows": found}
