"""The fourth step of an audit: its controls, run with the first explainer."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from leakjax import _progress
from leakjax._workdir import Workdir
from leakjax.auditing import adequacy, controls
from leakjax.auditing.decides import controls_mark
from leakjax.auditing.explanations import defend_program, explain_program, placebo
from leakjax.auditing.judge import Judge
from leakjax.auditing.measure import Measured, attack, attack_beside
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import Methods
from leakjax.auditing.rows import Results
from leakjax.defend import identity
from leakjax.evaluate.document import Control, SmallestMargin, from_json, to_json


class Checked(NamedTuple):
    """What the controls say.

    Attributes:
      controls: rows of the report.
      smallest_margin: the smallest that this audit could have seen, see `controls.smallest_margin`.
    """

    controls: list[Control]
    smallest_margin: SmallestMargin


def check(
    prepared: Prepared, methods: Methods, measured: Measured, *, store: Workdir | None = None
) -> Checked:
    """Attacks where nothing is to be found, and where something was planted.

    Args:
      prepared: what is audited, and networks that know nothing.
      methods: the first explainer stands for all.
      measured: whose sittings and programs are used again.
      store: of controls that were run before.

    Returns:
      `Checked`.
    """
    work = functools.partial(_work, prepared, methods, measured)
    if store is None:
        found = work()
    else:
        first = next(iter(methods.explainers))
        mark = controls_mark(measured.marks[None], measured.marks[first], prepared.untrained)
        found = store.stage("controls", mark, work)
    rows = [from_json(Control, row, "control") for row in found["controls"]]
    margin = from_json(SmallestMargin, found["smallest_margin"], "smallest_margin")
    compared = [hardened(measured.results)] if prepared.subject.stackable else []
    return Checked([*rows, *compared], margin)


def _work(prepared: Prepared, methods: Methods, measured: Measured) -> dict[str, Any]:
    """What the controls say, but for the one that looks at other explainers too; as JSON holds it."""
    subject, programs = prepared.subject, measured.programs
    name, explainer = next(iter(methods.explainers.items()))
    if not subject.stackable:
        judge = measured.whole.judge
        nothing = SmallestMargin(fpr=judge.headline, value=float("nan"))
        rows = controls.of_few_models(subject, judge)
        return {"controls": [to_json(row) for row in rows], "smallest_margin": to_json(nothing)}
    sitting = measured.results[name, next(iter(methods.defenses))].sitting
    explain = explain_program(subject, explainer)
    plain = programs.defend.get("none") or defend_program(subject, identity())
    several = bool(methods.named[name].parts)
    shown = defend_program(subject, identity(), several=True) if several else plain
    shuffled = defend_program(subject, identity(), then=placebo(subject), several=several)
    base = sitting.base.under(sitting.subject.releases[0])
    beside = functools.partial(
        attack_beside, subject=sitting.subject, predictions=sitting.predictions, base=base, alone=False
    )
    run = functools.partial(
        controls.run,
        sitting.subject,
        sitting.judge,
        functools.partial(attack, programs.predict, explain, shown, alone=False),
        functools.partial(beside, explain, shuffled),
        functools.partial(beside, explain_program(subject, adequacy.dressed(subject)), plain),
        prepared.untrained,
    )
    smallest = functools.partial(
        controls.smallest_margin, sitting.subject, sitting.judge, sitting.predictions
    )
    steps: tuple[Callable[[], Any], ...] = (run, smallest)
    rows, margin = (step() for step in _progress.track(steps))  # one bar for both
    return {"controls": [to_json(row) for row in rows], "smallest_margin": to_json(margin)}


def hardened(results: Results) -> Control:
    """The control of that name, under the first release. Args: results: by explainer and defense."""
    plain: dict[str, np.ndarray] = {}
    others: dict[str, list[tuple[np.ndarray, Judge]]] = {}
    for (explainer, defense), (sitting, found, _) in results.items():
        if defense == identity().name:
            plain[explainer] = found.both[0]
        else:
            one = (found.both[0], sitting.judge.narrowed(found.valid))
            others.setdefault(explainer, []).append(one)
    return adequacy.hardened(others, plain)
