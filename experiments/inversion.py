"""What does whoever may query a model and its explanations reconstruct, and what stops it?

    python -m experiments.inversion --dataset=digits

trains four small networks on handwritten digits, puts each behind an oracle that shows answers and nothing else, and
attacks it: which rows a Shapley explainer's background holds, whose answer a released one is, and more; every attack
beside the same without an explanation. --quick is a first look at two models; --plan says what would be measured.

The workdir receives config.json, metrics.jsonl, report.json, report.html, figures/, tables/ and stages/. The same
command on the same workdir goes on where it stopped, and one with other parts measures only those. Exit codes: 0 done,
1 failed, 2 bad usage, 130 and 143 stopped by SIGINT and SIGTERM.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from leakjax import data
from leakjax.auditing.environment import environment
from leakjax.inversion.document import InversionReport
from leakjax.inversion.fits import parts_that_fit
from leakjax.inversion.plan import PARTS, Plan, plan_for
from leakjax.inversion.results import report_of
from leakjax.inversion.units import units_of
from leakjax.inversion.world import make_world
from leakjax.records.run import run_units
from leakjax.report.inversion import figures, publish, section
from leakjax.report.progress import Stages

from . import _config_file, _main


def define_flags() -> None:
    """Defines the flags of this binary, when it is the program that runs."""
    _config_file.define_flag()
    flags.DEFINE_string("dataset", "digits", "Images in [0, 1], as digits, fashion_mnist or npz:<path>.")
    flags.DEFINE_string("data_dir", None, "Folder where data sets are kept once prepared.")
    flags.DEFINE_string(
        "source_dir", None, "Folder with the original files; nothing is downloaded that is there."
    )
    flags.DEFINE_string("workdir", None, "Folder for results; runs/inversion-<dataset> if unset.")
    flags.DEFINE_list("parts", None, f"Which of {', '.join(PARTS)}; those that fit the data by default.")
    flags.DEFINE_integer("models", None, "Target models; 4, of large images 2.")
    flags.DEFINE_integer("targets", None, "Records whose answers are attacked, of each model; 100.")
    flags.DEFINE_integer("candidates", None, "Among whom a record is sought; 1000.")
    flags.DEFINE_integer("epochs", None, "Of the training of a model; 50.")
    flags.DEFINE_integer(
        "points",
        None,
        "How many points of the data set are taken; all, or 4,000 of adult, 3,000 of large images.",
    )
    flags.DEFINE_integer("seed", 0, "Of everything that is drawn.")
    flags.DEFINE_bool("quick", False, "Two models and fewer targets, for a first look.")
    flags.DEFINE_bool("plan", False, "Say what would be measured, and measure nothing.")
    _main.define_take_over()


def plan_from(values: Any) -> Plan:
    """The plan of parsed flags; UsageError names the flag that is wrong."""
    given = {field.name: getattr(values, field.name) for field in dataclasses.fields(Plan)}
    given["parts"] = tuple(given["parts"]) if given["parts"] else None
    return plan_for(given.pop("dataset"), quick=values.quick, **given)


def main(values: flags.FlagValues) -> int:
    """Measures, writes the report and prints its findings."""
    plan = plan_from(values)
    points = data.load(
        plan.dataset, data_dir=values.data_dir, source_dir=values.source_dir, points=plan.points
    )
    named = values.parts is not None
    plan = dataclasses.replace(plan, parts=parts_that_fit(plan.parts, points, named=named))
    if values.plan:
        print(f"{points.name}: {len(points.x)} points, {plan.models} target models of {plan.epochs} epochs")
        print("\n".join(f"{part}: {plan.models} units" for part in plan.parts))
        return _main.DONE
    name = re.sub(r"[^\w.=-]", "_", plan.dataset)[-100:]
    workdir = Path(values.workdir or f"runs/inversion-{name}").expanduser()
    with Stages(Console(stderr=True)) as stages:
        recorded = {"schema": InversionReport.SCHEMA, **dataclasses.asdict(plan)}
        with _main.claimed(workdir, recorded, take_over=values.take_over, say=stages.say) as held:

            def on_epoch(epoch: int, loss: Any, accuracy: Any) -> None:
                stages.on_epoch(plan.epochs, epoch, loss, accuracy)

            world = make_world(plan, points, held, say=stages.say, on_epoch=on_epoch)
            todo = units_of(plan, world)
            stages.say(f"attacking {plan.dataset}: {len(todo)} units")
            measured = run_units(todo, held, tell=stages.tell)
            report = report_of(plan, world, measured, environment())
            publish(report, figures.images(report, measured), held)
    print(section.lead(report))
    for row in report.attacks:
        if row.guard == "none":
            beside = f", without explanations {section.number(row.baseline)}" if row.baseline else ""
            print(f"{row.attack}, {row.setting}: {row.measure}: {section.number(row.found)}{beside}")
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    _main.launch(main, devices=False)
