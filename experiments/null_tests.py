r"""Does `stacked` find members where there are none to be found? Every model is given a false membership list.

    python -m experiments.null_tests --models=32 --dataset=digits --repeats=8

Every flag of experiments.audit is taken. The lists are false in one of two ways, --lists:

    permuted  shuffled over models and records, so that nothing depends on them: the null hypothesis itself
    rolled    each model has the list of the one 1, 2, ... --repeats models before it. Where models leak much the
              answers of the others tell who was trained on a record, and so tell the list that a target was given: the
              mean answer of all others says how many hold it, their false lists say how many but the target's, and
              what is left over is that one bit. An AUC above one half is then right.

The whole attack is refitted each time, and what it catches beyond chance is averaged over the lists, point by point and
target by target, before its interval is taken. A row is one view under one release; more than 4 standard errors from 0
is a fault of the attack where lists are permuted. Exit codes: 0 done, 1 a row lies farther out, 2 bad usage.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax import _validate
from leakjax.auditing.chunks import Program
from leakjax.auditing.controls import permuted
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
from .benchmark_attacks import places_of, prepared_of

TOLERANCE = 4.0  # standard errors
LISTS = ("permuted", "rolled")
View = tuple[str, str]  # a view and a release, or an explainer


class Row(NamedTuple):
    """What is caught beyond chance at the headline rate, and the AUC beyond one half, means over targets and lists."""

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
    chance = np.array([judge.chance(rate) for rate in leakage.FPRS])[:, None, None]

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


def false_lists(subject: Subject, kind: str, number: int) -> Subject:
    """The subject with false lists of members.

    Args:
      subject: whose models were trained on other lists.
      kind: of `LISTS`.
      number: which of several, 1 and up.
    """
    if kind == "rolled":
        return dataclasses.replace(subject, membership=np.roll(subject.membership, number, axis=0))
    return permuted(subject, number)


def averaged(lists: Sequence[Mapping[View, Rates]], judge: Judge) -> dict[View, Row]:
    """The mean over lists, which were judged in the same resamples, with the interval of that mean."""
    rows = {}
    for view in lists[0]:
        aucs, tprs = zip(*(one[view] for one in lists), strict=True)
        what = judge.found(Rates(np.mean(aucs, axis=0), np.mean(tprs, axis=0)))
        rows[view] = Row(*view, what.tpr_at_fpr[judge.headline], what.auc)
    return rows


def run(config: Config, places: Places, lists: str, repeats: int, stages: Stages) -> list[Row]:
    """Trains, and attacks under so many false lists."""
    if not 1 <= repeats < config.models:
        rule = f"must be 1 to {config.models - 1}, one less than the models"
        raise _validate.fail("repeats", repeats, rule)
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
            for number in range(1, repeats + 1):
                false = false_lists(subject, lists, number)
                beyond.append(found(false, Judge(false, seed=subject.seed), programs, name))
                stages.say(f"{name}: list {number} of {repeats}")
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
    places = places_of(values, "null")
    with Stages(Console(stderr=True)) as stages:
        rows = run(config, places, values.lists, values.repeats, stages)
    Console(width=140).print(show(rows))
    largest = max(row.tpr.error for row in rows)
    print(f"The largest standard error of a TPR is {100 * largest:.3f} points.")
    return _main.DONE if all(row.sound for row in rows) else _main.FAILED


if __name__ == "__main__":
    audit_flags.define_flags()
    for module in (audit_flags, training_flags):
        flags.adopt_module_key_flags(module)
    flags.DEFINE_enum("lists", LISTS[0], LISTS, "How false membership lists come about.")
    flags.DEFINE_integer("repeats", 8, "How many of them each model is given in turn.")
    flags.FLAGS.set_default("models", 32)
    flags.FLAGS.set_default("explainers", "gradient")
    _main.launch(main)
