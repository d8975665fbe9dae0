r"""Does `stacked` find members where there are none to be found? Every model is given another's membership list.

    python -m experiments.null_tests --models=32 --dataset=digits --rolls=8

Every flag of experiments.audit is taken. The lists are rolled by 1, 2, ... --rolls models, the whole attack is refitted
each time, and what it catches beyond chance is averaged over the rolls, point by point and target by target, before its
interval is taken. A row is one view under one release; more than 4 standard errors from 0 is a fault of the attack.
Exit codes: 0 done, 1 a row lies farther out, 2 bad usage.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax import _validate
from leakjax.auditing.chunks import Program
from leakjax.auditing.explanations import defend_program, explain_program, stream_explanations
from leakjax.auditing.judge import Judge
from leakjax.auditing.options import Budget
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.resolve import resolve
from leakjax.auditing.score import baseline, score
from leakjax.auditing.subject import Subject
from leakjax.defend import identity
from leakjax.evaluate import leakage
from leakjax.evaluate.document import Estimate
from leakjax.evaluate.roc import Rates
from leakjax.report.progress import Stages

from . import _main, audit_flags, training_flags
from .audit_flags import Config, Places, read_config
from .benchmark_attacks import prepared_of

TOLERANCE = 4.0  # standard errors
View = tuple[str, str]  # a view and a release, or an explainer


class Row(NamedTuple):
    """What is caught beyond chance at the headline rate, and the AUC beyond one half, means over targets and rolls."""

    view: str
    about: str
    tpr: Estimate
    auc: Estimate

    @property
    def sound(self) -> bool:
        """Whether both are within `TOLERANCE` standard errors of 0."""
        return all(abs(one.value) <= TOLERANCE * one.error for one in (self.tpr, self.auc))


class Programs(NamedTuple):
    """Compiled for a subject of these sizes, whatever its membership: predict, explain, and show as it is."""

    predict: Program
    explain: Program
    show: Program


def found(subject: Subject, judge: Judge, programs: Programs, name: str) -> dict[View, Rates]:
    """What the whole attack catches beyond chance in every view of one explainer, under every release."""
    predictions = stream_predictions(programs.predict, subject)
    base = baseline(subject, predictions, subject.releases)
    (maps,) = stream_explanations(programs.explain, [programs.show], subject, predictions, np.array([], int))
    scores = score(subject, base, maps)
    judge = judge.narrowed(scores.valid)
    chance = np.array([leakage.chance_tpr(rate, judge.nonmembers) for rate in leakage.FPRS])[:, None, None]

    def beyond(one: np.ndarray) -> Rates:
        rates = judge.rates(one)
        return Rates(rates.auc - 0.5, rates.tpr - chance)

    views = {("explanation", name): beyond(scores.explanation)}
    for release, alone, both in zip(subject.releases, scores.prediction, scores.both, strict=True):
        prediction, together = beyond(alone), beyond(both)
        views["prediction", release] = prediction
        views["both", f"{release} + {name}"] = together
        margin = Rates(together.auc - prediction.auc, together.tpr - prediction.tpr)
        views["margin", f"{release} + {name}"] = margin
    return views


def averaged(rolls: Sequence[Mapping[View, Rates]], judge: Judge) -> dict[View, Row]:
    """The mean over rolls, which were judged in the same resamples, with the interval of that mean."""
    rows = {}
    for view in rolls[0]:
        aucs, tprs = zip(*(one[view] for one in rolls), strict=True)
        what = judge.found(Rates(np.mean(aucs, axis=0), np.mean(tprs, axis=0)))
        rows[view] = Row(*view, what.tpr_at_fpr[judge.headline], what.auc)
    return rows


def run(config: Config, places: Places, rolls: int, stages: Stages) -> list[Row]:
    """Trains, and attacks under every rolled list."""
    if not 1 <= rolls < config.models:
        rule = f"must be 1 to {config.models - 1}, one less than the models"
        raise _validate.fail("rolls", rolls, rule)
    with _main.claimed(
        places.workdir, config.as_json(), take_over=places.take_over, say=stages.say
    ) as workdir:
        pool, prepared = prepared_of(config, places, workdir, stages)
        subject = prepared.subject
        budget = Budget(background=pool.background)
        given = (config.explainers, ("none",), config.attacks)
        methods = resolve(*given, subject=subject, budget=budget, say=stages.say)
        rows: dict[View, Row] = {}
        predict = predict_program(subject)
        for name, explainer in methods.explainers.items():
            several = bool(methods.named[name].parts)
            programs = Programs(
                predict,
                explain_program(subject, explainer),
                defend_program(subject, identity(), several=several),
            )
            beyond = []
            for by in range(1, rolls + 1):
                false = dataclasses.replace(subject, membership=np.roll(subject.membership, by, axis=0))
                beyond.append(found(false, Judge(false, seed=subject.seed), programs, name))
                stages.say(f"{name}: list {by} of {rolls}")
            rows |= averaged(beyond, Judge(subject, seed=subject.seed))
    return list(rows.values())


def show(rows: Sequence[Row]) -> Table:
    """The rows in percentage points beyond chance, with standard errors."""
    table = Table("view", "of", "TPR beyond chance", "AUC beyond 50", "sound")
    points = lambda one: f"{100 * one.value:+.3f} ± {100 * one.error:.3f}"
    for row in rows:
        table.add_row(row.view, row.about, points(row.tpr), points(row.auc), "yes" if row.sound else "NO")
    return table


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    config = read_config(values)
    workdir = Path(values.workdir or f"runs/null-{Path(config.dataset).stem}").expanduser()
    places = Places(workdir, values.data_dir, values.source_dir, values.take_over)
    with Stages(Console(stderr=True)) as stages:
        rows = run(config, places, values.rolls, stages)
    Console(width=140).print(show(rows))
    largest = max(row.tpr.error for row in rows)
    print(f"The largest standard error of a TPR is {100 * largest:.3f} points.")
    return _main.DONE if all(row.sound for row in rows) else _main.FAILED


if __name__ == "__main__":
    audit_flags.define_flags()
    for module in (audit_flags, training_flags):
        flags.adopt_module_key_flags(module)
    flags.DEFINE_integer("rolls", 8, "How many false membership lists each model is given in turn.")
    flags.FLAGS.set_default("models", 32)
    flags.FLAGS.set_default("explainers", "gradient")
    _main.launch(main)
