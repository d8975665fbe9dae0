"""The fourth step of an audit: its controls, run with the first explainer."""

import functools
from typing import NamedTuple

from leakjax.auditing import controls
from leakjax.auditing.explanations import defend_program, explain_program
from leakjax.auditing.measure import Measured, attack
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import Methods
from leakjax.defend import identity
from leakjax.evaluate.document import Control, SmallestMargin


class Checked(NamedTuple):
    """What the controls say.

    Attributes:
      controls: rows of the report.
      smallest_margin: the smallest that this audit could have seen, see `controls.smallest_margin`.
    """

    controls: list[Control]
    smallest_margin: SmallestMargin


def check(prepared: Prepared, methods: Methods, measured: Measured) -> Checked:
    """Attacks where nothing is to be found, and where something was planted.

    Args:
      prepared: what is audited, and networks that know nothing.
      methods: the first explainer stands for all.
      measured: whose sittings and programs are used again.

    Returns:
      `Checked`.
    """
    subject, programs = prepared.subject, measured.programs
    name, explainer = next(iter(methods.explainers.items()))
    sitting = measured.results[name, next(iter(methods.defenses))].sitting
    explain = explain_program(subject, explainer)
    plain = programs.defend.get("none") or defend_program(subject, identity())
    placebo = defend_program(subject, identity(), placebo=True)
    return Checked(
        controls.run(
            sitting.subject,
            sitting.judge,
            functools.partial(attack, programs.predict, explain, plain),
            functools.partial(attack, programs.predict, explain, placebo),
            prepared.untrained,
        ),
        controls.smallest_margin(sitting.subject, sitting.judge, sitting.predictions),
    )
