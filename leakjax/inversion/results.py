"""From what the units of a study measured to its report."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from leakjax.attack.extract import distill, hinges, linear
from leakjax.attack.invert import (
    aggregate,
    ascent,
    attribute,
    attribute_learned,
    background,
    closed_form,
    learned,
    most_probable,
    pattern,
    reidentify,
    shapley_values,
)
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
from leakjax.inversion.claims import claims_of
from leakjax.inversion.document import InversionReport, InversionTask, LeftOut
from leakjax.inversion.guards import reasons
from leakjax.inversion.plan import Plan
from leakjax.inversion.summary import summarise
from leakjax.inversion.world import NETWORK, World
from leakjax.records.run import Measured

KNOWS = {
    backgrounds.ATTACK: background.KNOWS,
    reidentified.ATTACK: reidentify.KNOWS,
    inverted.CLOSED: closed_form.KNOWS,
    known_model.ATTACK: most_probable.KNOWS,
    inverted.LEARNED: learned.KNOWS,
    inverted.ASCENT: ascent.KNOWS,
    patterns.ATTACK: pattern.KNOWS,
    extracted.ATTACK: f"{linear.KNOWS}; {distill.KNOWS}",
    extracted_units.ATTACK: hinges.KNOWS,
    aggregated.ATTACK: aggregate.KNOWS,
    attributes.ATTACK: attribute.KNOWS,
    censored.ATTACK: attribute_learned.KNOWS,
    attributes.SHAPLEY: shapley_values.KNOWS,
}
LEFT_OUT = {
    backgrounds.ATTACK: backgrounds.LEFT_OUT,
    reidentified.ATTACK: reidentified.LEFT_OUT,
    inverted.CLOSED: inverted.LEFT_OUT,
    known_model.ATTACK: known_model.LEFT_OUT,
    inverted.LEARNED: inverted.LEFT_OUT,
    inverted.ASCENT: {},
    patterns.ATTACK: patterns.LEFT_OUT,
    extracted.ATTACK: extracted.LEFT_OUT,
    extracted_units.ATTACK: extracted_units.LEFT_OUT,
    attributes.ATTACK: attributes.LEFT_OUT,
    censored.ATTACK: attributes.LEFT_OUT,
    attributes.SHAPLEY: attributes.LEFT_OUT_OF_SHAPLEY,
}


def report_of(
    plan: Plan, world: World, measured: Measured, environment: Mapping[str, Any]
) -> InversionReport:
    """The report of a study.

    Args:
      plan: of the study.
      world: what was attacked.
      measured: from `run_units`.
      environment: versions, devices and platform.
    """
    rows = [row for part in plan.parts for unit in measured.rows[part] for row in unit["rows"]]
    attacks = summarise(rows, seed=plan.seed)
    return InversionReport(
        config=dataclasses.asdict(plan),
        environment=environment,
        task=InversionTask(
            dataset=plan.dataset,
            points=len(world.points.x),
            auxiliary=len(world.auxiliary.x),
            model=NETWORK,
            accuracy=world.accuracy,
        ),
        knows={name: KNOWS[name] for name in dict.fromkeys(each.attack for each in attacks)},
        attacks=attacks,
        left_out=[
            LeftOut(attack=name, guard=guard, why=why)
            for name, left_out in LEFT_OUT.items()
            if any(each.attack == name for each in attacks)
            for guard, why in reasons(left_out, even=world.even).items()
        ],
        claims=claims_of(attacks),
        timings=measured.seconds,
    )
