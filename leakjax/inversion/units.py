"""The units of work of an inversion study: one part of one target model each."""

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from leakjax._threads import one_blas_thread
from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.inversion import (
    aggregated,
    attributes,
    backgrounds,
    censored,
    extracted,
    extracted_units,
    inverted,
    known_model,
    patterns,
    reidentified,
)
from leakjax.inversion.guards import PLAIN, TRAININGS
from leakjax.inversion.pictures import pictures, shown_rows
from leakjax.inversion.plan import PARTS, Plan
from leakjax.inversion.world import World
from leakjax.records.units import Unit

PICTURED = 0  # the model whose answers are reconstructed in the figure
# About how long a unit of each part takes, in seconds; for the time left alone.
_EFFORT = {
    "background": 25.0,
    "reidentify": 10.0,
    "closed_form": 5.0,
    "known_model": 20.0,
    "learned": 15.0,
    "ascent": 5.0,
    "patterns": 15.0,
    "extraction": 10.0,
    "relu_units": 30.0,
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
    sizes: dict[str, Any] = {"targets": plan.targets, "candidates": plan.candidates}
    calls: dict[str, Callable[[int], Any]] = {
        "background": partial(backgrounds.measure, world),
        "reidentify": partial(reidentified.measure, world, **sizes),
        "closed_form": partial(inverted.closed_form, world, **sizes),
        "known_model": partial(known_model.measure, world, **sizes),
        "learned": partial(inverted.learned_inversion, world, **sizes),
        "ascent": partial(inverted.query_ascent, world),
        "patterns": partial(patterns.measure, world, **sizes),
        "extraction": partial(extracted.measure, world),
        "relu_units": partial(extracted_units.measure, world),
        "aggregates": partial(aggregated.measure, world),
        "attributes": partial(attributes.measure, world, targets=plan.targets),
        "censored": partial(censored.measure, world, targets=plan.targets),
        "shapley_values": partial(attributes.read, world, targets=plan.targets),
    }
    asked: dict[str, Any] = {"targets": plan.targets}
    # What guards are measured on, also of models that were trained in other ways.
    guarded: dict[str, Callable[..., Any]] = {
        "reidentify": partial(reidentified.guarded, **sizes),
        "closed_form": partial(inverted.guarded_closed_form, **sizes),
        "known_model": partial(known_model.guarded, **sizes),
        "learned": partial(inverted.guarded_decoders, **sizes),
        "ascent": inverted.guarded_ascent,
        "patterns": partial(patterns.guarded, **sizes),
        "extraction": extracted.guarded,
        "relu_units": extracted_units.guarded,
        "attributes": partial(attributes.guarded, **asked),
        "censored": partial(censored.guarded, **asked),
        "shapley_values": partial(attributes.read_guarded, **asked),
    }
    retrained = cache(lambda name: world.retrained(TRAININGS[name]))

    def measured(part: str, index: int) -> dict[str, Any]:
        with one_blas_thread():
            rows = calls[part](index)
            for name in TRAININGS if part in guarded else ():
                other = guarded[part](retrained(name), index, guards={"none": PLAIN})
                rows += [{**each, "guard": name} for each in other]
            return {"rows": rows, "pictures": pictures(world, part, index) if index == PICTURED else {}}

    mark = fingerprint(
        environment=environment(),
        plan=dataclasses.replace(plan, parts=PARTS, models=1),
        points=(world.points.x, world.points.y),
        trainings=list(TRAININGS),
    )
    shown = shown_rows(world)
    return tuple(
        Unit(
            part,
            index,
            _EFFORT[part],
            partial(measured, part, index),
            stage=f"{part} {index}",
            fingerprint=fingerprint(
                mark=mark, part=part, index=index, shown=shown if index == PICTURED else ()
            ),
        )
        for part in plan.parts
        for index in range(plan.models)
    )
