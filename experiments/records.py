"""How much of its training data does a service give away that explains predictions by training records?

    python -m experiments.records --dataset=adult

trains a logistic regression on 2,000 people of UCI Adult ten times over, with every leave-one-out model, and
attacks its explanations as section 5 of Shokri, Strobel and Zick (Privacy Risks of Explaining Machine
Learning Models) does. Expect 11 / 21 / 28 % of the records to reveal themselves at k = 1 / 5 / 10 and some 91
to fall to subspace reduction; about four minutes on one core, half a minute with --parts=draws, less with --quick,
which draws three times and leaves the other parts out. --plan says what would run and what it takes.

Other data sets: fashion_mnist (two classes, lifted to 2,048 random features, 1,800 points: all fall;
half a minute), parkinsons (--source_dir with pd_speech.csv or pd_speech.csv.gz) and npz:<path> with binary
labels.

The workdir receives config.json, metrics.jsonl, report.json, report.html, figures/ and stages/. The same command on
the same workdir goes on where it stopped, and one with other flags measures only what they change. Exit codes: 0
done, 1 failed, 2 bad usage, 130 and 143 stopped by SIGINT and SIGTERM.
"""

import dataclasses
import functools
import time
from pathlib import Path

from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax._validate import fail
from leakjax.auditing.environment import environment
from leakjax.records import encode, study
from leakjax.records.document import RecordsReport
from leakjax.records.plan import PARTS, Plan, plan_for
from leakjax.records.results import report_of
from leakjax.records.run import run_units
from leakjax.records.tasks import load_task
from leakjax.records.units import Unit, units_of
from leakjax.report.progress import Stages
from leakjax.report.records import publish, section

from . import _config_file, _main, paper_flags

QUICK = {"draws": 3, "parts": ["draws"]}

_config_file.define_flag()
flags.DEFINE_string("dataset", "adult", "adult, fashion_mnist, parkinsons or npz:<path>.")
flags.DEFINE_string("data_dir", None, "Folder where data sets are kept once prepared.")
flags.DEFINE_string(
    "source_dir", None, "Folder with the original files; nothing is downloaded that is there."
)
flags.DEFINE_string("workdir", None, "Folder for results; runs/records-<dataset> if unset.")
flags.DEFINE_list("parts", None, f"Which of {', '.join(PARTS)}; all for adult, draws alone otherwise.")
flags.DEFINE_integer("draws", None, "Draws of training records; 10, or 1 for fashion_mnist.")
flags.DEFINE_integer(
    "points", None, "Training records of a draw; 2000 (adult), 200 (parkinsons), 1800 (fashion_mnist)."
)
flags.DEFINE_integer("seed", 0, "Of everything that is drawn.")
flags.DEFINE_float("l2", 1.0, "Penalty on the sum of losses, the 1/C of scikit-learn.")
flags.DEFINE_string("scaling", "zscore", f"Of continuous features: {', '.join(encode.SCALINGS)}.")
flags.DEFINE_string(
    "loss", "probability", "Whose change is the influence: probability (the paper's) or cross_entropy."
)
flags.DEFINE_integer("k", 5, "Records of an explanation, for the influence graph and the defenses.")
flags.DEFINE_integer("queries", 1000, "Queries of a static batch.")
flags.DEFINE_integer("walks", 20, "Starts from which each strategy walks the influence graph.")
flags.DEFINE_list(
    "oracles", None, f"For Algorithm 1: {', '.join(study.ORACLES)}; exact alone for fashion_mnist."
)
flags.DEFINE_float(
    "threshold",
    None,
    "Influence that Algorithm 1 takes for noise; 1e-13 for adult (1e-12 by cross_entropy), 1e-14 otherwise.",
)
flags.DEFINE_integer(
    "network_points", 200, "Training records of the network, which is retrained without each."
)
flags.DEFINE_bool("quick", False, "Three draws and nothing else: seconds for adult.")
flags.DEFINE_bool("plan", False, "Measure one draw, print what would run and what it costs, and stop.")
_main.define_take_over()
flags.DEFINE_list("pair", ["5", "7"], "The two classes of fashion_mnist.")
flags.DEFINE_integer("width", 2048, "Random features of fashion_mnist.")


def plan_from(values: flags.FlagValues) -> Plan:
    """The plan of parsed flags; UsageError names the flag that is wrong."""
    found = paper_flags.values_of(values, QUICK)
    pair = found["pair"]
    if len(pair) != 2 or not all(each.isdigit() for each in pair):
        raise fail("pair", ",".join(pair), "must be two classes, as in 5,7")
    given = {field.name: found[field.name] for field in dataclasses.fields(Plan)}
    several = {name: tuple(given[name]) if given[name] else None for name in ("parts", "oracles")}
    return plan_for(**{**given, **several, "pair": (int(pair[0]), int(pair[1]))})


def print_plan(units: tuple[Unit, ...]) -> None:
    """What would run, and about how long, from the time that a draw takes on this machine."""
    units[0].measure()  # compiles
    start = time.perf_counter()
    units[0].measure()
    seconds = time.perf_counter() - start
    table = Table("part", "units", "about seconds")
    for part in dict.fromkeys(unit.part for unit in units):
        own = [unit.effort for unit in units if unit.part == part]
        table.add_row(part, str(len(own)), f"{sum(own) * seconds:,.0f}")
    table.add_row("total", str(len(units)), f"{sum(unit.effort for unit in units) * seconds:,.0f}")
    Console().print(table)


def main(values: flags.FlagValues) -> int:
    """Measures, writes the report and prints its findings."""
    config = plan_from(values)

    @functools.cache
    def load(scaling: str) -> encode.Task:
        return load_task(config, scaling=scaling, data_dir=values.data_dir, source_dir=values.source_dir)

    todo = units_of(config, load)  # first: a data set that is missing must not leave a workdir behind
    if values.plan:
        print_plan(todo)
        return _main.DONE
    name = config.dataset.replace(":", "-").replace("/", "-")
    workdir = Path(values.workdir or f"runs/records-{name}").expanduser()
    with Stages(Console(stderr=True)) as stages:
        recorded = {"schema": RecordsReport.SCHEMA, **dataclasses.asdict(config)}
        with _main.claimed(workdir, recorded, take_over=values.take_over, say=stages.say) as held:
            stages.say(f"measuring {config.dataset}: {len(todo)} units")
            measured = run_units(todo, held, tell=stages.tell)
            report = report_of(config, measured, environment())
            publish(report, measured, held)
    print(section.lead(report))
    for row in report.results.beside_paper if config.dataset == "adult" else ():
        ours, spread, paper = map(section.number, (row.ours, row.spread, row.paper))
        print(f"{section.NAMES.get(row.what, row.what):38} {ours:>8} ± {spread:<8} paper {paper}")
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False)
