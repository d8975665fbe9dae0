"""The last step of an audit: the report of what was measured and checked."""

import dataclasses
from collections.abc import Sequence

from leakjax.auditing import detail, rows, typical, worth
from leakjax.auditing.check import Checked
from leakjax.auditing.clock import Clock
from leakjax.auditing.environment import environment
from leakjax.auditing.measure import Measured
from leakjax.auditing.options import Run
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import Methods
from leakjax.auditing.unlike import unlike
from leakjax.evaluate.document import Report


def assemble(
    prepared: Prepared,
    methods: Methods,
    measured: Measured,
    others: Sequence[rows.Judged],
    checked: Checked,
    *,
    run: Run,
    clock: Clock,
) -> Report:
    """Evaluates the scores and puts the report together.

    Args:
      prepared: what was audited.
      methods: which attacks are reported.
      measured: what each explainer and defense leaks.
      others: rows of the attacks beside the stacked one.
      checked: what the controls say.
      run: by which group leakage is broken down, the configuration, what training guarantees.
      clock: of all stages, this one too.

    Returns:
      The report.
    """
    points, results = prepared.subject.points, measured.results
    with clock("evaluate"):
        judged = [*(rows.leakage(results) if methods.stacked else []), *others]
        leakage, curves = [row for row, _ in judged], [curve for _, curve in judged]
        task = rows.task(measured.whole, results, prepared.diverged)
        utility = rows.utility(results)
        exposed = rows.exposed(results, leakage)
        groups = rows.groups(results, run.group)
        operating = detail.operating(results) if methods.stacked else []
        parts = detail.parts(results) if methods.stacked else []
        epsilon = detail.epsilon(results, _delta(run)) if methods.stacked else []
        odd = unlike(measured.whole, results)
        neighbours, queries = worth.neighbours(results), worth.worth(results)
    return Report(
        config=dict(run.config or {}),
        environment=environment(),
        timings=clock.seconds,
        task=dataclasses.replace(task, private=run.private),
        leakage=leakage,
        utility=utility,
        exposed=exposed,
        groups=groups,
        controls=checked.controls,
        smallest_margin=checked.smallest_margin,
        curves=curves,
        left_out=methods.left_out,
        operating=operating,
        parts=parts,
        epsilon=epsilon,
        neighbours=neighbours,
        worth=queries,
        unlike=odd,
        examples=rows.examples(points, results, measured.shown)
        if run.show_records
        else typical.examples(prepared.subject, methods.explainers, methods.defenses),
        feature_names=points.feature_names or None,
        columns=points.columns or None,
    )


def _delta(run: Run) -> float:
    """The delta of private training, where there is one: bounds on epsilon are of that delta."""
    return run.private.delta if run.private is not None else 0.0
